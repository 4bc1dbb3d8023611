# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A systemd-networkd that removes what is not its own is told not to, in the words that this one knows."""

from __future__ import annotations

from ansible_collections.multihome.linux.plugins.module_utils._core.host.networkd import FILE
from ansible_collections.multihome.linux.tests.e2e import checks
from ansible_collections.multihome.linux.tests.machines.configuration import FOREIGN, NETWORKD
from ansible_collections.multihome.linux.tests.machines.deployed import KEEPER, Deployed

MODULE = "multihome.linux.networkd_settings"
KNOWN = {
    "bookworm": ["ManageForeignRoutes", "ManageForeignRoutingPolicyRules"],
    "trixie": ["ManageForeignNextHops", "ManageForeignRoutes", "ManageForeignRoutingPolicyRules"],
}
# The one of Debian 12 leaves such rules in place by itself.
REMOVES_RULES = ("trixie",)
_SECONDS = 3.0  # it removes within milliseconds what it takes for remains of its own


def test_the_role_told_each_networkd_what_that_knows(design: Deployed) -> None:
    for machine in design.bed.machines:
        assert not any(FILE in text for text in design.files[machine.name])  # the control
        lines = [line for line in design.run(machine, "cat", FILE).splitlines() if "=" in line]
        assert lines == [f"{name}=no" for name in KNOWN[design.bed.suite]]
        assert "Unknown key" not in design.run(machine, "journalctl", "--output=cat", f"--unit={NETWORKD}")


def test_policy_rules_stay_without_a_keeper_since_it_is_told(design: Deployed) -> None:
    server = design.bed.server
    design.run(server, "systemctl", "stop", KEEPER)
    try:
        assert _rules_gone_after_a_restart(design) == []
        design.run(server, "rm", FILE)
        ours = {str(each) for each in design.ours(server) if each.kind.startswith("rule ")}
        gone = ours.intersection(_rules_gone_after_a_restart(design))
        assert len(ours) > 5
        assert gone == (ours if design.bed.suite in REMOVES_RULES else set())  # the control
    finally:
        told = design.module(server, MODULE)
        design.run(server, "systemctl", "restart", FOREIGN)
        design.run(server, "systemctl", "start", KEEPER)
    assert sorted(action["object"]["name"] for action in told["actions"]) == KNOWN[design.bed.suite]
    assert design.module(server, MODULE)["changed"] is False


def _rules_gone_after_a_restart(design: Deployed) -> list[str]:
    """Restart the server's systemd-networkd and return the policy rules that went."""
    server = design.bed.server
    before = [text for text in design.now(server) if text.startswith("rule ")]

    def gone() -> list[str]:
        now = design.now(server)
        return [text for text in before if text not in now]

    design.run(server, "systemctl", "restart", NETWORKD)
    checks.eventually(lambda: [] if gone() else ["all are there"], _SECONDS)
    return gone()
