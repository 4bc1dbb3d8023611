#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: keeper
short_description: Install the service that restores stored state
description:
  - Installs C(multihome-keeper), a small service that applies the state that modules stored with C(persist=true). It
    does so early at boot and as interfaces appear, and restores objects that disappear.
  - It runs the same code as the modules on the host's own Python. The code is copied to C(/usr/lib/multihome). Neither
    Ansible nor pip is needed on the host.
  - It also installs the command C(multihome) as C(/usr/local/sbin/multihome), which shows and explains the state of the
    host. A file of another program in that place is left unchanged, with a warning.
  - The service is restarted only when its code or its unit changed. The kernel keeps its configuration when the service
    stops.
  - On a host without systemd, the code is copied, and a warning says that nothing starts it.
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
      - With V(present), the service is installed, runs, and is started at each boot.
      - With V(absent), it is stopped and removed. The kernel's configuration and the stored state stay.
    type: str
    choices: [present, absent]
    default: present
requirements:
  - python3-pyroute2 of the distribution, on the managed host
seealso:
  - module: multihome.linux.multihome_info
"""

EXAMPLES = r"""
- name: Store the aliases of the web server
  multihome.linux.ip_aliases:
    aliases:
      - address: 192.168.168.1/24
        interface: eth0
    persist: true

- name: Restore them at boot, and whenever they are removed
  multihome.linux.keeper:

- name: Remove the service
  multihome.linux.keeper:
    state: absent
"""

RETURN = r"""
actions:
  description: The changes made, in order. In check mode, the changes that would be made.
  returned: success
  type: list
  elements: dict
  contains:
    op:
      description: One of V(add), V(remove), V(replace).
      type: str
      sample: add
    object:
      description: A C(file), or the C(service).
      type: dict
      sample: {service: multihome-keeper.service}
  sample:
    - op: add
      object: {file: /etc/systemd/system/multihome-keeper.service}
before:
  description: The files that were installed before.
  returned: when something changed, or in diff mode
  type: list
  elements: dict
  sample: []
after:
  description: The files that are installed after the run. In check mode, the files that a run would leave.
  returned: when something changed, or in diff mode
  type: list
  elements: dict
  sample: [{file: /usr/lib/multihome/multihome-keeper}]
starts_at_boot:
  description: Whether the service is started at boot. In check mode, whether it would be.
  returned: success
  type: bool
  sample: true
"""

import functools

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core.confirm import ConfirmGuard
from ..module_utils._core.keeper_installation.engine import COMMAND_IN_LIBRARY, KeeperEngine
from ..module_utils._core.keeper_installation.unit import COMMAND
from ..module_utils._core.lock import exclusive
from ..module_utils._core.whole import code
from ..module_utils._module import CONFIRM_OPTION, guarded, result, with_errors_reported

ARGUMENT_SPEC = {"state": {"type": "str", "choices": ["present", "absent"], "default": "present"}, **CONFIRM_OPTION}
# Not the lock of the stored state: the service takes that one when it starts.
LOCK_FILE = "/run/multihome/installation.lock"
WARNING = (
    "this host does not run systemd, so nothing applies the stored state at boot; have its service manager start "
    "/usr/lib/multihome/multihome-keeper"
)
FOREIGN_COMMAND = (
    f"{COMMAND} is a file of another program, and is left unchanged; the command is {COMMAND_IN_LIBRARY}. To have it "
    "in its place, move that file and run again"
)


def install(module: AnsibleModule) -> None:
    """Converge the installation and end the module with the result; raises MultihomeError."""
    engine = KeeperEngine(module.params["state"], code())
    guard = ConfirmGuard(module.params["confirm"])
    outcome = guarded(engine, module, guard, lock=functools.partial(exclusive, LOCK_FILE))
    if engine.present and not engine.systemd:
        module.warn(WARNING)
    if engine.present and engine.foreign_command:
        module.warn(FOREIGN_COMMAND)
    answer = result(engine, outcome, bool(module._diff))
    module.exit_json(**answer, starts_at_boot=engine.present and engine.systemd)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with_errors_reported(module, lambda: install(module))


if __name__ == "__main__":
    main()
