# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""With systemd: an unconfirmed change is reverted by a timer, or by a reboot, with the keeper as it was."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.multihome.linux.tests.e2e import checks
from ansible_collections.multihome.linux.tests.machines.deployed import KEEPER, Deployed

CHECKPOINTS = "/var/lib/multihome/checkpoints"
PENDING = "/etc/systemd/system/multihome-pending.service"


def cut_off(design: Deployed, run: str, timeout: int) -> None:
    """Remove all policy rules and the keeper of the server as a run."""
    prepare(design)
    confirm = {"run": run, "timeout": timeout}
    module = "multihome.linux.policy_routing"
    done = design.module(design.bed.server, module, rules=[], purge=True, persist=True, confirm=confirm)
    assert done["changed"], done
    done = design.module(design.bed.server, "multihome.linux.keeper", state="absent", confirm=confirm)
    assert done["changed"], done
    assert design.differences() != []


def prepare(design: Deployed) -> None:
    """Install the program that records the state of the server."""
    design.module(design.bed.server, "multihome.linux.commit_confirm", state="present")


def status(design: Deployed, run: str) -> dict[str, Any]:
    """The status of a run."""
    found: dict[str, Any] = json.loads(design.run(design.bed.server, "cat", f"{CHECKPOINTS}/{run}/status.json"))
    return found


def leftovers(design: Deployed) -> str:
    """What is there only while a run is armed."""
    server = design.bed.server
    found = design.run(server, "ls", PENDING, f"{CHECKPOINTS}/pending", check=False)
    return found + design.run(server, "systemctl", "list-units", "--no-legend", "multihome-revert-*")


def test_the_timer_restores_everything_and_the_keeper(design: Deployed) -> None:
    server = design.bed.server
    cut_off(design, "timer", 30)
    assert PENDING in leftovers(design)
    assert checks.eventually(lambda: [] if status(design, "timer")["state"] == "reverted" else ["armed"], 75) == []
    assert design.run(server, "systemctl", "is-active", KEEPER).strip() == "active"
    assert design.mended() == []
    assert leftovers(design) == ""


def test_the_program_that_reverts_is_killed(design: Deployed) -> None:
    """By the kernel, for lack of memory, or by somebody: systemd starts it again."""
    server, service = design.bed.server, "multihome-revert-killed.mount.service"
    prepare(design)
    for timeout, module, options in (
        (30, "policy_routing", {"rules": [], "purge": True, "persist": True}),
        (90, "keeper", {"state": "absent"}),
    ):
        # systemd would take the name of this run for the kind of a unit.
        confirm = {"run": "killed.mount", "timeout": timeout}
        done = design.module(server, f"multihome.linux.{module}", confirm=confirm, **options)
        assert done["changed"], done

    def process() -> str:
        return design.run(server, "systemctl", "show", "--property=MainPID", "--value", service).strip()

    # It starts for the first deadline, and waits for the second one.
    assert checks.eventually(lambda: [] if process() != "0" else ["no process"], 60) == []
    first = process()
    design.run(server, "kill", "-KILL", first)
    assert checks.eventually(lambda: [] if process() not in ("0", first) else ["not started again"], 30) == []
    assert status(design, "killed.mount")["state"] == "armed"
    assert (
        checks.eventually(lambda: [] if status(design, "killed.mount")["state"] == "reverted" else ["armed"], 150) == []
    )
    assert design.run(server, "systemctl", "is-active", KEEPER).strip() == "active"
    assert design.mended() == []
    assert leftovers(design) == ""


def test_a_reboot_in_the_window_boots_the_confirmed_state(design: Deployed) -> None:
    server = design.bed.server
    cut_off(design, "boot", 300)
    server.reboot()
    assert design.mended() == [], design.state(server)
    assert status(design, "boot")["state"] == "reverted"
    assert design.run(server, "systemctl", "is-active", KEEPER).strip() == "active"
    assert leftovers(design) == ""


def test_a_reboot_after_a_failed_and_after_a_finished_revert(design: Deployed) -> None:
    server = design.bed.server
    cut_off(design, "failed", 300)
    # The kernel's objects can be restored, the files cannot.
    design.run(server, "mount", "--bind", "/etc/multihome", "/etc/multihome")
    design.run(server, "mount", "-o", "remount,bind,ro", "/etc/multihome")
    done = design.module(server, "multihome.linux.commit_confirm", state="reverted", run="failed")
    assert "could not be reverted" in done["msg"], done
    assert status(design, "failed")["state"] == "failed"
    server.reboot()
    assert design.mended() == [], design.state(server)
    assert status(design, "failed")["state"] == "reverted"
    assert leftovers(design) == ""
    # Nothing of it is left for the next boot.
    server.reboot()
    assert design.mended() == [], design.state(server)


def test_a_keeper_that_is_upgraded_within_the_window_is_the_earlier_one_again(design: Deployed) -> None:
    server = design.bed.server
    prepare(design)
    file = "/usr/lib/multihome/_core/keeper/keeper.py"
    # As if an earlier release had installed it.
    design.run(server, "sh", "-c", f"echo '# earlier' >> {file}")
    done = design.module(server, "multihome.linux.keeper", confirm={"run": "upgrade", "timeout": 25})
    assert done["changed"], done
    assert "# earlier" not in design.run(server, "cat", file)
    assert checks.eventually(lambda: [] if status(design, "upgrade")["state"] == "reverted" else ["armed"], 90) == []
    assert design.run(server, "tail", "-n", "1", file) == "# earlier\n"
    assert design.run(server, "systemctl", "is-active", KEEPER).strip() == "active"
    assert leftovers(design) == ""
    design.module(server, "multihome.linux.keeper")


def test_a_keeper_that_was_new_does_not_start_after_the_reboot(design: Deployed) -> None:
    server = design.bed.server
    prepare(design)
    design.module(server, "multihome.linux.keeper", state="absent")
    design.module(server, "multihome.linux.keeper", confirm={"run": "new", "timeout": 300})
    server.reboot()
    assert status(design, "new")["state"] == "reverted"
    assert design.run(server, "systemctl", "is-active", KEEPER, check=False).strip() == "inactive"
    assert leftovers(design) == ""
    design.module(server, "multihome.linux.keeper")


def test_a_confirmed_change_survives_the_reboot(design: Deployed) -> None:
    """The control: without the unit that a confirmation removes, the change is booted."""
    server = design.bed.server
    prepare(design)
    rule = {"priority": 29000, "source": "192.0.2.77", "action": "unreachable"}
    options: dict[str, Any] = {"rules": [rule], "persist": True, "confirm": {"run": "good", "timeout": 300}}
    assert design.module(server, "multihome.linux.policy_routing", **options)["changed"]
    done = design.module(server, "multihome.linux.commit_confirm", state="confirmed", run="good")
    assert (done["changed"], done["state"]) == (True, "confirmed")
    assert leftovers(design) == ""
    server.reboot()
    assert checks.eventually(lambda: [] if "192.0.2.77" in design.run(server, "ip", "rule") else ["gone"]) == []
    design.deploy()
