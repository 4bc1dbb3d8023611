# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""On machines where nothing is deployed, check mode shows what the real run then does, also of the keeper."""

from __future__ import annotations

from ansible_collections.multihome.linux.tests.e2e.foretold import differences, steps
from ansible_collections.multihome.linux.tests.machines.deployed import Deployed


def test_check_mode_shows_the_installation_of_the_keeper_as_it_is_done(design: Deployed) -> None:
    assert differences(design.foretold, design.done) == []
    assert design.foretold.changed == design.done.changed
    for machine in design.bed.machines:
        assert (machine.name, "keeper") in steps(design.done)
    assert (design.bed.server.name, "policy_routing") in steps(design.done)
