#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: networkd_settings
short_description: Have systemd-networkd leave alone what is not its own
description:
  - By default systemd-networkd removes routes and policy rules of others whenever it configures anew. This module
    writes C(/etc/systemd/networkd.conf.d/60-multihome.conf), which tells it not to.
  - Of C(ManageForeignRoutes), C(ManageForeignRoutingPolicyRules) and C(ManageForeignNextHops) it sets those to C(no)
    that the running systemd-networkd knows.
  - systemd-networkd is restarted when the file changes, since only a new process reads it. When it does not start, the
    file is put back.
  - Where no systemd-networkd runs, nothing is done.
author:
  - multihome.linux contributors (@multihome)
extends_documentation_fragment:
  - multihome.linux._attributes
  - multihome.linux._attributes.FULL
options:
  state:
    description:
      - Whether the file is there. A file of this name that somebody else wrote is never touched.
      - With V(absent) nothing is restarted, since that would remove what is not systemd-networkd's own. It does so
        again once it is started anew.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: multihome.linux.preflight
"""

EXAMPLES = r"""
- name: Keep routes and policy rules from systemd-networkd
  multihome.linux.networkd_settings:

- name: Leave all of them to systemd-networkd again
  multihome.linux.networkd_settings:
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be done, setting by setting.
  returned: success
  type: list
  elements: dict
  sample:
    - op: add
      object: {name: ManageForeignRoutes, value: "no"}
before:
  description: The settings that the file held.
  returned: when something changed, or in diff mode
  type: list
  elements: dict
  sample: []
after:
  description: The settings that the file holds now.
  returned: when something changed, or in diff mode
  type: list
  elements: dict
  sample:
    - {name: ManageForeignRoutes, value: "no"}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core.converge import converge
from ..module_utils._core.host.networkd import NetworkdEngine
from ..module_utils._core.lock import exclusive
from ..module_utils._module import result, with_errors_reported

ARGUMENT_SPEC = {"state": {"type": "str", "choices": ["present", "absent"], "default": "present"}}


def keep(module: AnsibleModule) -> None:
    """Converge the settings and end the module with the result; raises MultihomeError."""
    engine = NetworkdEngine(module.params["state"])
    outcome = converge(engine, module.check_mode, exclusive)
    module.exit_json(**result(engine, outcome, bool(module._diff)))


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with_errors_reported(module, lambda: keep(module))


if __name__ == "__main__":
    main()
