#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: role_tags
short_description: Report the steps of a role that tags leave out
description:
  - The roles of this collection call it, so that a run with C(--tags) or C(--skip-tags) never ends without a word on
    steps that did not run. It runs on the controller and changes nothing. There is no need to use it directly.
  - It fails where the changes of a host are selected without the check that they depend on, and where tags select the
    C(include_role) of a role, but no task inside.
author:
  - multihome.linux contributors (@multihome)
extends_documentation_fragment:
  - multihome.linux._attributes
  - multihome.linux._attributes.read_only
options:
  role:
    description: The name of the role.
    type: str
    choices: [isp_firewall, multihomed_web]
    required: true
  preflight:
    description: Whether the role checks the host first. Without the check, the changes do not depend on it.
    type: bool
    default: true
  pending:
    description: The modules that have something to change, as far as they are known.
    type: list
    elements: str
    default: []
seealso:
  - module: multihome.linux.preflight
"""

EXAMPLES = r"""
- name: Report the steps that tags leave out
  multihome.linux.role_tags:
    role: multihomed_web
    pending: [ip_aliases, policy_routing]
  tags: [always]
"""

RETURN = r"""
msg:
  description: The steps that were left out, and the tags that did so.
  returned: when steps were left out
  type: str
  sample: "web1: only checked: --tags multihome_preflight leaves out the changes of ip_aliases and policy_routing"
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC: dict[str, Any] = {
    "role": {"type": "str", "choices": ["isp_firewall", "multihomed_web"], "required": True},
    "preflight": {"type": "bool", "default": True},
    "pending": {"type": "list", "elements": "str", "default": []},
}


def main() -> None:
    """Its action plugin of the same name does the work; only Ansible itself can start that."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="role_tags runs on the controller, with the action plugin of the same name")


if __name__ == "__main__":
    main()
