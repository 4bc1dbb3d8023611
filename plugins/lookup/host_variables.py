# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: host_variables
short_description: The variables of both roles on one host
description:
  - Returns the variables of roles C(isp_firewall) and C(multihomed_web) that follow from the declaration for the host
    of the current task, as the playbook C(multihome.linux.deploy) uses them. Their variables in the inventory add to
    it.
  - It reads the variable C(multihome_declaration), a dictionary with C(lines), C(servers), C(services) and, if there
    are any, C(zones) and C(networks).
  - A task that uses it several times has it computed once. The filters P(multihome.linux.isp_firewall_lines#filter)
    and others return the same, one variable each.
author:
  - multihome.linux contributors (@multihome)
options:
  _terms:
    description: Not used.
"""

EXAMPLES = r"""
- name: Show the lines of each firewall
  hosts: isp_firewall
  gather_facts: false
  vars:
    multihome_declaration:
      lines: "{{ multihome_lines }}"
      servers: "{{ multihome_servers }}"
      services: "{{ multihome_services }}"
  tasks:
    - name: Show them
      ansible.builtin.debug:
        msg: "{{ lookup('multihome.linux.host_variables').isp_firewall_lines }}"
"""

RETURN = r"""
_list:
  description:
    - One dictionary with C(isp_firewall_lines), C(isp_firewall_forwards), C(isp_firewall_hairpins),
      C(isp_firewall_snat), C(isp_firewall_inside_networks), C(isp_firewall_networks), C(isp_firewall_other_lines),
      C(isp_firewall_zones_on_lines_only), C(isp_firewall_server_lines), C(multihomed_web_lines)
      and C(multihomed_web_reply).
  type: list
  elements: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ..plugin_utils._declaration.checks import read_declaration
from ..plugin_utils._input.addresses import NETADDR_MISSING
from ..plugin_utils._input.faults import DeclarationError
from ..plugin_utils._roles.host_variables import host_variables

# What was found last, and the variables of the task that it was found for. Keeping them makes sure that other variables
# are other objects.
_LAST: list[tuple[object, dict[str, Any]]] = []


class LookupModule(LookupBase):  # type: ignore[misc]  # ansible-core has no types
    """The variables of both roles on the host of a task."""

    def run(
        self,
        terms: list[object],  # noqa: ARG002 - given by Ansible
        variables: Mapping[str, Any] | None = None,
        **_options: object,
    ) -> list[dict[str, Any]]:
        """Return one dictionary of them."""
        if variables is None or "multihome_declaration" not in variables:
            raise AnsibleLookupError("multihome_declaration is not defined")
        if not _LAST or _LAST[0][0] is not variables:
            _LAST[:] = [(variables, self._find(variables))]
        return [_LAST[0][1]]

    def _find(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        if NETADDR_MISSING:
            raise AnsibleLookupError(NETADDR_MISSING)
        host = variables["inventory_hostname"]
        try:
            declaration = read_declaration(self._templar.template(variables["multihome_declaration"]))
            return host_variables(declaration, host, variables["hostvars"].get(host))
        except DeclarationError as error:
            raise AnsibleLookupError(str(error)) from error
