# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The groups of interfaces come back; those that another program gave stay. With a kernel in memory."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint import interface_groups, network
from ansible_collections.multihome.linux.plugins.module_utils._core.converge import converge
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.engine import RoutingEngine
from ansible_collections.multihome.linux.tests.unit.routing.fake_kernel import INTERFACES, FakeKernel

OURS = 109


@pytest.fixture
def kernel(tmp_path: Path) -> FakeKernel:
    """A kernel in memory."""
    for interface in INTERFACES:
        (tmp_path / interface).mkdir()
        (tmp_path / interface / "promote_secondaries").write_text("0\n")
    return FakeKernel(tmp_path)


def captured(kernel: FakeKernel) -> dict[str, Any]:
    """A checkpoint as it is read from its file."""
    executor = kernel.executor()
    found = {**network.capture(executor, [OURS]), "groups": interface_groups.capture(executor)}
    return dict(json.loads(json.dumps(found)))


def change(kernel: FakeKernel, *groups: int, passed_over: int | None = None) -> None:
    """Have policy_routing put eth0 into a group, or none, with a rule that passes over it."""
    listed = [{"interface": "eth0", "group": group} for group in groups]
    rule = {"priority": 100, "family": "ipv4", "table": 254, "suppress_interface_group": passed_over}
    rules = [rule] if passed_over else []
    converge(RoutingEngine([], rules, OURS, True, kernel.executor(), listed), False, contextlib.nullcontext)


@pytest.mark.parametrize(("before", "after"), [(0, OURS), (OURS, 0), (0, 500)])
def test_a_group_of_this_collection_comes_back(kernel: FakeKernel, before: int, after: int) -> None:
    """A number of one's own is known by the rule that passes over it."""
    change(kernel, *([before] if before else []), passed_over=before or None)
    checkpoint = captured(kernel)
    change(kernel, *([after] if after else []), passed_over=after or None)
    assert kernel.groups.get("eth0", 0) == after
    assert interface_groups.differences(checkpoint, [OURS], kernel.executor()) == [
        f"not restored: group {before} of interface eth0"
    ]
    assert interface_groups.restore(checkpoint, [OURS], kernel.executor()) == []
    assert kernel.groups.get("eth0", 0) == before
    assert interface_groups.differences(checkpoint, [OURS], kernel.executor()) == []


@pytest.mark.parametrize(("before", "after"), [(0, 42), (42, 0), (42, 43), (OURS, 42)])
def test_a_group_that_another_program_gave_stays(kernel: FakeKernel, before: int, after: int) -> None:
    kernel.groups["eth0"] = before
    checkpoint = captured(kernel)
    kernel.groups["eth0"] = after
    assert interface_groups.differences(checkpoint, [OURS], kernel.executor()) == []
    assert interface_groups.restore(checkpoint, [OURS], kernel.executor()) == []
    assert kernel.groups["eth0"] == after


def test_an_interface_that_came_or_went_meanwhile(kernel: FakeKernel) -> None:
    change(kernel, OURS)
    checkpoint = captured(kernel)
    kernel.missing.add("eth0")
    assert interface_groups.restore(checkpoint, [OURS], kernel.executor()) == []
    kernel.missing.clear()
    kernel.groups["eth0"] = 0
    del checkpoint["groups"]["eth1"]
    kernel.groups["eth1"] = OURS
    assert interface_groups.restore(checkpoint, [OURS], kernel.executor()) == []
    assert (kernel.groups["eth0"], kernel.groups["eth1"]) == (OURS, 0)


def test_a_record_of_an_earlier_version_has_no_groups(kernel: FakeKernel) -> None:
    checkpoint = captured(kernel)
    del checkpoint["groups"]
    change(kernel, OURS)
    assert interface_groups.restore(checkpoint, [OURS], kernel.executor()) == []
    assert kernel.groups["eth0"] == OURS
