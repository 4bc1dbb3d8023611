#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: commit_confirm
short_description: Confirm changes, or revert them
description:
  - A wrong route can cut the connection by which it was made. With the option C(confirm) of the modules of this
    collection, a host restores its earlier state by itself unless this module confirms the change in time.
  - The restored state consists of addresses, routes, policy rules, translations, marks, the forward policy, kernel
    parameters, the stored state in C(/etc/multihome), and the keeper. Objects of other owners are not touched.
  - The host keeps the time with a clock that nobody can set. It needs neither the connection nor the keeper for that.
  - On a host with systemd, a reboot before the confirmation starts with the earlier state.
author:
  - multihome.linux contributors (@multihome)
extends_documentation_fragment:
  - multihome.linux._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details:
      - The modules that change the host show the differences.
  idempotent:
    support: full
options:
  state:
    description:
      - With V(armed), the current state is recorded now, before the first change. Usually the option C(confirm) of the
        modules does that.
      - With V(confirmed), the changes of the run are kept. This fails if they were reverted already.
      - With V(reverted), the recorded state is restored now.
    type: str
    choices: [armed, confirmed, reverted]
    required: true
  run:
    description:
      - The name of the run. V(armed) needs it.
      - Without it, the run that waits for its confirmation is meant.
    type: str
  timeout:
    description: With V(armed), the seconds to wait for the confirmation.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Change the policy rules, and restore the earlier ones after 60 seconds
  multihome.linux.policy_routing:
    rules:
      - {priority: 23010, source: 192.168.168.1, table: 1001}
    confirm: {run: "2026-11-28-1", timeout: 60}

- name: Keep the change, because this task still reaches the host
  multihome.linux.commit_confirm:
    state: confirmed
    run: "2026-11-28-1"

- name: Restore the earlier state at once
  multihome.linux.commit_confirm:
    state: reverted
"""

RETURN = r"""
run:
  description: The name of the run, null if no run waits for its confirmation.
  returned: success
  type: str
  sample: 2026-11-28-1
state:
  description:
    - The state of the run, one of V(none), V(armed), V(confirmed), V(reverted). In check mode, the state before.
    - V(none) stands for a run that has changed nothing on this host.
  returned: success
  type: str
  sample: confirmed
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core.checkpoint.ending import Ending
from ..module_utils._core.checkpoint.guard import Guard
from ..module_utils._core.checkpoint.model import DEFAULT_TIMEOUT, NONE, Confirm
from ..module_utils._core.keeper_installation.host import own_code
from ..module_utils._core.lock import exclusive
from ..module_utils._module import with_errors_reported

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["armed", "confirmed", "reverted"], "required": True},
    "run": {"type": "str"},
    "timeout": {"type": "int", "default": DEFAULT_TIMEOUT},
}
SPEC_RULES = {"required_if": [("state", "armed", ("run",))]}


def carry_out(module: AnsibleModule) -> None:
    """Arm, confirm or revert, and end the module with the result; raises MultihomeError."""
    wanted, run, ending = module.params["state"], module.params["run"], Ending()
    before = ending.find(run)
    if wanted == "armed":
        guard = Guard(Confirm(run, module.params["timeout"]), lambda: own_code(()), lock=exclusive)
        changed = guard.arm(module.check_mode)
    elif wanted == "confirmed":
        changed = ending.confirm(run, module.check_mode)
    else:
        changed = ending.revert(run, module.check_mode)
    status = ending.find(run or (before.run if before else None))
    module.exit_json(changed=changed, run=status.run if status else run, state=status.state if status else NONE)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, **SPEC_RULES)
    with_errors_reported(module, lambda: carry_out(module))


if __name__ == "__main__":
    main()
