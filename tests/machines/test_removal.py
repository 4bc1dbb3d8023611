# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/remove.yml leaves a host as it was before the first deployment."""

from __future__ import annotations

from ansible_collections.multihome.linux.tests.e2e import checks, playbooks
from ansible_collections.multihome.linux.tests.machines import standing
from ansible_collections.multihome.linux.tests.machines.deployed import Deployed

# Values of kernel parameters stay until the next boot: a host that forwards is an anycast address of its IPv6 subnets.
_UNTIL_BOOT = '"type": "anycast"'


def _remains(design: Deployed) -> list[str]:
    """Return how the machines differ from before the first deployment: objects of the network, files, units."""
    return [
        f"{machine.name}: {difference}"
        for machine in design.bed.machines
        for difference in [
            *standing.differences(design.before[machine.name], design.now(machine)),
            *standing.differences(design.files[machine.name], standing.files(design.lab, machine.name)),
        ]
    ]


def test_a_removal_leaves_each_host_as_before_the_first_deployment(design: Deployed) -> None:
    assert len(_remains(design)) > 50  # the control
    run = playbooks.run(design.lab, "multihome.linux.remove")
    try:
        assert run.failures == []
        assert [each for each in _remains(design) if _UNTIL_BOOT not in each] == []
        for machine in design.bed.machines:
            # The locks are still there, which the next run takes; nothing is said of a keeper any more.
            left = design.run(machine, "ls", "-A", "/run/multihome").split()
            assert set(left) <= {"lock", "installation.lock"}
        assert len(checks.services_answered(design.lab, timeout=0.5)) > 0
        again = playbooks.run(design.lab, "multihome.linux.remove")
        assert checks.nothing_changed(again) == []
        for machine in design.bed.machines:
            machine.reboot()
        assert checks.eventually(lambda: _remains(design)) == []
    finally:
        design.deploy()
