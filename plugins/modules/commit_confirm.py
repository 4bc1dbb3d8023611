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
      - With V(present), the program is installed that records and restores the state of the host. The option
        C(confirm) of the other modules needs it. After an upgrade of the collection, it is replaced.
      - With V(armed), the current state is recorded now, before the first change. Usually the option C(confirm) of the
        modules does that. The program is installed if it is missing.
      - With V(confirmed), the changes of the run are kept. This fails if they were reverted already.
      - With V(reverted), the recorded state is restored now.
      - With V(restored), an earlier confirmed state is restored, as a change of its own that has to be confirmed.
      - With V(absent), the program and all recorded states are removed. This fails while a run waits for its
        confirmation.
    type: str
    choices: [present, armed, confirmed, reverted, restored, absent]
    required: true
  run:
    description:
      - The name of the run. V(armed) and V(restored) need it.
      - Without it, the run that waits for its confirmation is meant.
    type: str
  timeout:
    description: With V(armed) and V(restored), the seconds to wait for the confirmation.
    type: int
    default: 60
  checkpoint:
    description:
      - With V(restored), the state to restore.
      - The name of the run that was confirmed, or a number from V(1) for the last confirmed state to V(5).
      - With a time such as V(2026-11-28T10:00:00Z), the last state that was confirmed until then.
      - Without it, and without O(before_run), the last confirmed state.
    type: str
  before_run:
    description:
      - With V(restored), the name of a run. The state before it is restored, which also undoes the runs after it.
      - On a host without a confirmed run of this name, nothing is changed, and RV(undone) is empty.
    type: str
  unproven:
    description:
      - With V(confirmed), what could not be checked before the change is kept. It is a warning of the result, and is
        recorded with the confirmed state.
    type: list
    elements: str
    default: []
  version:
    description:
      - With V(present), the name of the version that is installed. The roles compare it with the version on the host.
      - Without it, the name is a hash of the program.
    type: str
"""

EXAMPLES = r"""
- name: Install the program that records and restores states
  multihome.linux.commit_confirm:
    state: present

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

- name: Restore the confirmed state before the last one, and revert that after 60 seconds
  multihome.linux.commit_confirm:
    state: restored
    checkpoint: 2
    run: back-to-yesterday

- name: Undo one run, and those after it
  multihome.linux.commit_confirm:
    state: restored
    before_run: "2026-11-28-1"
    run: undo-2026-11-28-1
"""

RETURN = r"""
run:
  description: The name of the run, null if no run waits for its confirmation.
  returned: success
  type: str
  sample: 2026-11-28-1
differs:
  description: Whether the host differed from the state, also where a task hides its changes.
  returned: when O(state=restored)
  type: bool
  sample: true
undone:
  description: With O(before_run), the runs that are undone, the newest first.
  returned: when O(state=restored)
  type: list
  elements: str
  sample: [2026-11-28-1]
checkpoint:
  description: The run whose confirmed state was restored, or with O(before_run) that run.
  returned: when O(state=restored)
  type: str
  sample: 2026-11-27-1
unproven:
  description: What could not be checked before the change was kept, from O(unproven).
  returned: when O(state=confirmed)
  type: list
  elements: str
  sample:
    - "client1 could not be asked (Connection timed out): web by line unicom (203.0.113.10, port 80/tcp)"
state:
  description:
    - The state of the run, one of V(none), V(armed), V(confirmed), V(reverted). In check mode, the state before.
    - V(none) stands for a run that has changed nothing on this host.
  returned: success
  type: str
  sample: confirmed
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core.checkpoint.control import Control
from ..module_utils._core.confirm_gate import DEFAULT_TIMEOUT
from ..module_utils._core.whole import code
from ..module_utils._module import with_errors_reported

STATES = ["present", "armed", "confirmed", "reverted", "restored", "absent"]
ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": STATES, "required": True},
    "run": {"type": "str"},
    "timeout": {"type": "int", "default": DEFAULT_TIMEOUT},
    "checkpoint": {"type": "str"},
    "before_run": {"type": "str"},
    "unproven": {"type": "list", "elements": "str", "default": []},
    "version": {"type": "str"},
}
SPEC_RULES = {
    "required_if": [("state", "armed", ("run",)), ("state", "restored", ("run",))],
    "mutually_exclusive": [("checkpoint", "before_run")],
}


def carry_out(module: AnsibleModule) -> None:
    """Bring the run or the program to the state, and end the module with the result; raises MultihomeError."""
    control = Control(module.check_mode, code=code)
    state, options = module.params["state"], {name: module.params[name] for name in ("run", "timeout", "version")}
    if state == "restored":
        chosen = {name: module.params[name] for name in ("checkpoint", "before_run")}
        changed, run, found, checkpoint, undone = control.restore(options["run"], timeout=options["timeout"], **chosen)
        more = {"checkpoint": checkpoint, "undone": undone, "differs": changed}
        module.exit_json(changed=changed, run=run, state=found, **more)
    else:
        unproven = module.params["unproven"] if state == "confirmed" else []
        changed, pending, found = control.bring_to(state, **options, unproven=unproven)
        for text in unproven:
            module.warn(f"not proven: {text}")
        more = {"unproven": unproven} if state == "confirmed" else {}
        module.exit_json(changed=changed, run=pending, state=found, **more)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, **SPEC_RULES)
    with_errors_reported(module, lambda: carry_out(module))


if __name__ == "__main__":
    main()
