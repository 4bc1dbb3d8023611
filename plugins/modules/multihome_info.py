#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: multihome_info
short_description: What this collection has put on a host
description:
  - Reads what stands on a host, each kind in the input form of the module that manages it, so that it can be kept,
    compared, or given back to that module.
author:
  - multihome.linux contributors
extends_documentation_fragment:
  - multihome.linux._attributes
  - multihome.linux._attributes.read_only
options:
  gather_subset:
    description:
      - What to read.
      - Reading V(ip_aliases) and V(policy_routing) needs pyroute2 on the host.
      - V(requirements) tells which of the tools the modules need are there, and never fails.
    type: list
    elements: str
    choices: [ip_aliases, policy_routing, requirements]
    default: [ip_aliases, policy_routing]
  owned_only:
    description:
      - Whether to leave out what others put there.
      - What the kernel makes by itself, routes of connected networks for instance, is left out in any case.
    type: bool
    default: true
  protocol:
    description: The owner tag by which this collection's objects are known.
    type: int
    default: 109
seealso:
  - module: multihome.linux.ip_aliases
  - module: multihome.linux.policy_routing
"""

EXAMPLES = r"""
- name: What has this collection put here?
  multihome.linux.multihome_info:
  register: here

- name: Every policy rule of the host, other owners' too
  multihome.linux.multihome_info:
    gather_subset: [policy_routing]
    owned_only: false

- name: Is what the modules need installed?
  multihome.linux.multihome_info:
    gather_subset: [requirements]
"""

RETURN = r"""
ip_aliases:
  description: Addresses, as entries of O(multihome.linux.ip_aliases#module:aliases).
  returned: when O(gather_subset) has V(ip_aliases)
  type: list
  elements: dict
  sample: [{address: 192.168.168.1/24, interface: eth0}]
policy_routing:
  description: Routes and policy rules, as the options of M(multihome.linux.policy_routing).
  returned: when O(gather_subset) has V(policy_routing)
  type: dict
  contains:
    tables:
      description: Routing tables with their routes.
      type: list
      elements: dict
      sample: [{id: 1001, routes: [{destination: default, gateway: 192.168.168.11, interface: eth0}]}]
    rules:
      description: Policy rules.
      type: list
      elements: dict
      sample: [{priority: 23010, family: ipv4, source: 192.168.168.1, table: 1001}]
  sample: {tables: [], rules: []}
requirements:
  description: For each tool whether it will do (C(ok)), the version C(needed), the one C(found) and where, a C(remedy).
  returned: when O(gather_subset) has V(requirements)
  type: dict
  sample:
    nft: {ok: true, needed: "1.0.2", found: 1.0.6 in /usr/sbin/nft}
    pyroute2:
      ok: false
      needed: "0.7.2"
      found: none (No module named 'pyroute2')
      remedy: install python3-pyroute2 for /usr/bin/python3, or name another ansible_python_interpreter
"""

from ..module_utils._core.info import SUBSETS, gather
from ..module_utils._module import OWNER_OPTIONS, run_reader

ARGUMENT_SPEC = {
    "gather_subset": {
        "type": "list",
        "elements": "str",
        "choices": list(SUBSETS),
        "default": [subset for subset in SUBSETS if subset != "requirements"],
    },
    "owned_only": {"type": "bool", "default": True},
    "protocol": OWNER_OPTIONS["protocol"],
}


def main() -> None:
    """Run the module."""
    run_reader(ARGUMENT_SPEC, lambda o: gather(o["gather_subset"], o["protocol"], o["owned_only"]))


if __name__ == "__main__":
    main()
