# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is killed half-way ends in the old or the new state, on a real kernel, beside the keeper."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.tests.integration.keeper.host import kept
from ansible_collections.multihome.linux.tests.integration.keeper.kills import Site
from ansible_collections.multihome.linux.tests.integration.run_module import run_module

SEED = 20


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A host with 500 tables and rules; the keeper does not run yet."""
    with kept(tmp_path) as host:
        yield Site(host, 500)


def test_a_killed_run_ends_in_the_old_or_the_new_state(site: Site) -> None:
    site.kept.start()
    draw = random.Random(SEED)
    outcomes = [site.kill(draw) for _run in range(4)]
    assert set(outcomes) <= {"old", "new"}, outcomes


def test_a_run_that_is_killed_half_way_is_rolled_back(site: Site) -> None:
    site.kept.start()
    for _run in range(3):
        old = site.stored()
        site.run_and_kill_half_way()
        assert site.outcome(old) == "old"
    assert site.kept.log().count("rolled back") == 3


def test_control_without_the_keeper_a_killed_run_stays_half_done(site: Site) -> None:
    site.run_and_kill_half_way()
    assert site.routing() not in site.states
    # The next run completes it.
    done = run_module("policy_routing", site.options[0], netns_prefix=site.kept.host.prefix)
    assert not done.get("failed"), done
    assert site.routing() == site.states[0]
