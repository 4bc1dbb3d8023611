#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: networkd_settings
short_description: Keep systemd-networkd from removing foreign routes and rules
description:
  - By default, systemd-networkd removes routes and policy rules of other programs whenever it applies its
    configuration. This module writes C(/etc/systemd/networkd.conf.d/60-multihome.conf), which turns that off.
  - Of C(ManageForeignRoutes), C(ManageForeignRoutingPolicyRules) and C(ManageForeignNextHops), it sets those to C(no)
    that the running systemd-networkd supports.
  - systemd-networkd is restarted when the file changes, since only a new process reads it. When it does not start, the
    old file is restored.
  - Where systemd-networkd does not run, nothing is done.
author:
  - multihome.linux contributors (@multihome)
extends_documentation_fragment:
  # First, for its action group.
  - multihome.linux._confirm
  - multihome.linux._attributes
  - multihome.linux._attributes.full
options:
  state:
    description:
      - Whether the file exists. A file of this name that has another owner is never changed.
      - With V(absent) nothing is restarted, since systemd-networkd would then remove foreign routes and policy rules.
        It does so again after its next start.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: multihome.linux.preflight
"""

EXAMPLES = r"""
- name: Keep systemd-networkd from removing foreign routes and policy rules
  multihome.linux.networkd_settings:

- name: Let systemd-networkd manage all of them again
  multihome.linux.networkd_settings:
    state: absent
"""

RETURN = r"""
actions:
  description: The changes made, setting by setting. In check mode, the changes that would be made.
  returned: success
  type: list
  elements: dict
  sample:
    - op: add
      object: {name: ManageForeignRoutes, value: "no"}
before:
  description: The settings in the file before the run.
  returned: when something changed, or in diff mode
  type: list
  elements: dict
  sample: []
after:
  description: The settings in the file after the run.
  returned: when something changed, or in diff mode
  type: list
  elements: dict
  sample:
    - {name: ManageForeignRoutes, value: "no"}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core.confirm import ConfirmGuard
from ..module_utils._core.host.networkd import NetworkdEngine
from ..module_utils._module import CONFIRM_OPTION, guarded, result, with_errors_reported

ARGUMENT_SPEC = {"state": {"type": "str", "choices": ["present", "absent"], "default": "present"}, **CONFIRM_OPTION}


def keep(module: AnsibleModule) -> None:
    """Converge the settings and end the module with the result; raises MultihomeError."""
    engine = NetworkdEngine(module.params["state"])
    outcome = guarded(engine, module, ConfirmGuard(module.params["confirm"]))
    module.exit_json(**result(engine, outcome, bool(module._diff)))


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with_errors_reported(module, lambda: keep(module))


if __name__ == "__main__":
    main()
