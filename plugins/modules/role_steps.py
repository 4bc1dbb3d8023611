#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: role_steps
short_description: Run the modules of a role one after the other
description:
  - The roles of this collection call it in a loop over their steps, to change a host. Each item of the loop has the
    result of its module, with its differences. There is no need to use it directly.
  - With the first item, all modules run in one process on the host, in order, up to the first that fails. So Ansible
    connects once, and the host loads the code once. Where that is not possible, for instance without pipelining, each
    module is sent when it is its turn.
author:
  - multihome.linux contributors (@multihome)
extends_documentation_fragment:
  - multihome.linux._confirm
  - multihome.linux._attributes
  - multihome.linux._attributes.full
options:
  steps:
    description: All steps, from P(multihome.linux.host_steps#filter).
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name of the step, another one for each.
        type: str
        required: true
      module:
        description: The module of this collection to run, without the name of the collection.
        type: str
        required: true
      options:
        description: The options of the module.
        type: dict
        required: true
      after:
        description:
          - The step runs only if O(steps[].after.step) did O(steps[].after.did), and is skipped otherwise.
        type: dict
        suboptions:
          step:
            description: The name of an earlier step.
            type: str
            required: true
          did:
            description: Whether it moved addresses to other interfaces, or removed policy rules by mark.
            type: str
            choices: [moved, removed_mark_rules]
            required: true
      counts:
        description: Whether a change of the step is a change of the task. Tools of the roles do not count.
        type: bool
        default: true
  step:
    description: The name of the step whose result is returned. The loop has them in the order of O(steps).
    type: str
    required: true
seealso:
  - module: multihome.linux.preflight
"""

EXAMPLES = r"""
- name: Configure the lines
  multihome.linux.role_steps:
    steps:
      - name: Set kernel parameters for the lines
        module: kernel_parameters
        options:
          parameters:
            - {name: net.ipv4.ip_forward, value: "1"}
      - name: Restore the configuration after reboots and whenever it is removed
        module: keeper
        options: {state: present}
    step: "{{ item }}"
  loop:
    - Set kernel parameters for the lines
    - Restore the configuration after reboots and whenever it is removed
"""

RETURN = r"""
module:
  description: The module of the step. Its result is returned beside this.
  returned: always
  type: str
  sample: kernel_parameters
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._module import CONFIRM_OPTION

ARGUMENT_SPEC: dict[str, Any] = {
    "steps": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "module": {"type": "str", "required": True},
            "options": {"type": "dict", "required": True},
            "after": {
                "type": "dict",
                "options": {
                    "step": {"type": "str", "required": True},
                    "did": {"type": "str", "choices": ["moved", "removed_mark_rules"], "required": True},
                },
            },
            "counts": {"type": "bool", "default": True},
        },
    },
    "step": {"type": "str", "required": True},
    **CONFIRM_OPTION,
}


def main() -> None:
    """Its action plugin of the same name does the work; only Ansible itself can start that."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="role_steps runs modules with the action plugin of the same name")


if __name__ == "__main__":
    main()
