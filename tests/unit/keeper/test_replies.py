# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which replies the keeper asks for, from the stored lists of the roles, and how often it tells what it finds."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from ansible_collections.multihome.linux.plugins.filter.multihomed_web import FilterModule
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import ReadFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.replies import (
    INTERVAL,
    PAUSE,
    ReplyCheck,
    replies_of,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.engine import RoutingEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.reply_model import TAKEN, Finding, Reply

FILTERS = FilterModule().filters()


def engine(interfaces: Sequence[str], reply: str = "source") -> RoutingEngine:
    """The engine of a server with two lines."""
    lines = [
        {
            "name": f"line{n}",
            "id": n,
            "interface": interface,
            "addresses": [f"192.168.168.{n if reply == 'source' else 1}/24", f"fd00:168::{n}/64"],
            "gateways": [f"192.168.168.1{n}", f"fd00:168::1{n}"],
        }
        for n, interface in enumerate(interfaces, 1)
    ]
    return RoutingEngine(
        FILTERS["multihomed_web_tables"](lines),
        FILTERS["multihomed_web_rules"](lines, reply=reply),
        interface_groups=FILTERS["multihomed_web_interface_groups"](lines),
    )


def test_each_address_of_each_line_is_asked_for() -> None:
    replies, inside = replies_of(engine(("eth0", "eth0")))
    assert {(reply.line, reply.table, reply.source, reply.gateways) for reply in replies} == {
        ("line1", 1001, "192.168.168.1", ("192.168.168.11",)),
        ("line1", 1001, "fd00:168::1", ("fd00:168::11",)),
        ("line2", 1002, "192.168.168.2", ("192.168.168.12",)),
        ("line2", 1002, "fd00:168::2", ("fd00:168::12",)),
    }
    assert inside == ["192.168.168.0/24", "fd00:168::/64"]


def test_networks_of_interfaces_of_their_own_are_not_inside() -> None:
    replies, inside = replies_of(engine(("eth0", "eth1")))
    assert inside == []
    assert {reply.networks for reply in replies} == {("192.168.168.0/24",), ("fd00:168::/64",)}


def test_an_address_of_both_lines_is_asked_for_by_mark_alone() -> None:
    replies, _inside = replies_of(engine(("eth0", "eth0"), "mark"))
    shared = [reply for reply in replies if reply.source == "192.168.168.1"]
    assert [(reply.line, reply.mark) for reply in shared] == [("line1", (1, 255)), ("line2", (2, 255))]


def test_a_finding_is_told_once_and_when_it_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    found: list[Finding] = []
    check = ReplyCheck(lambda _replies, _inside, _owner: list(found))
    stored = engine(("eth0", "eth0"))
    reply = Reply("line1", 1001, "192.168.168.1", ("192.168.168.11",))
    check.check(stored, 0.0)
    assert check.report() == []
    found.append(Finding(TAKEN, reply, "192.0.2.1", "rule 100 takes it", "remove it"))
    check.check(stored, INTERVAL)
    check.check(stored, 2 * INTERVAL)
    assert [entry["line"] for entry in check.report()] == ["line1"]
    assert capsys.readouterr().err.count("rule 100 takes it") == 1
    found.clear()
    check.check(stored, 3 * INTERVAL)
    assert check.report() == []
    assert "leave by their line again" in capsys.readouterr().err


def test_many_changes_make_few_questions() -> None:
    check = ReplyCheck(lambda _replies, _inside, _owner: ())
    check.check(engine(("eth0", "eth0")), 100.0)
    assert check.next_time == 100.0 + INTERVAL
    check.changed(100.5)
    assert check.next_time == 100.0 + PAUSE


def test_a_kernel_that_does_not_answer_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(_replies: object, _inside: object, _owner: int) -> Sequence[Finding]:
        raise ReadFailed("no answer")

    ReplyCheck(refuse).check(engine(("eth0", "eth0")), 0.0)
    assert "no answer" in capsys.readouterr().err
