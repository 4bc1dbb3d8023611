# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tracked connections end with a line: those that were initiated inside over it, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.health import flows
from ansible_collections.multihome.linux.plugins.module_utils._core.health.model import Line, parse_lines
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.conntrack import Conntrack, End, Flow

A, B = parse_lines([
    {"name": "a", "id": 1, "addresses": ["203.0.113.10"], "mark": "0x1/0xff"},
    {"name": "b", "id": 2, "addresses": ["198.51.100.20"], "mark": "0x2/0xff"},
])  # fmt: skip
CLIENT, FAR = "192.168.168.50", "192.0.2.1"


def flow(source: str, destination: str, answers_from: str, answers_to: str, mark: int = 0) -> Flow:
    return Flow(4, "tcp", End(source, destination, 40000, 443), End(answers_from, answers_to, 443, 40000), 0, mark)


OWN = flow("203.0.113.10", FAR, FAR, "203.0.113.10")
TRANSLATED = flow(CLIENT, FAR, FAR, "203.0.113.10")
CAME_IN = flow(FAR, "203.0.113.10", "203.0.113.10", FAR)
MAPPED = flow(FAR, "203.0.113.10", "192.168.168.1", FAR)
OVER_B = flow(CLIENT, FAR, FAR, "198.51.100.20")


class Tracked(Conntrack):
    """Connection tracking in memory."""

    def __init__(self, *listed: Flow) -> None:
        super().__init__()
        self.listed = list(listed)
        self.reads = 0

    def flows(self, only_translated: bool) -> Iterator[Flow]:
        """The connections, as the kernel lists them."""
        self.reads += 1
        assert not only_translated
        yield from self.listed

    def delete(self, flows: list[Flow]) -> list[tuple[Flow, str]]:
        """Delete entries."""
        self.listed = [each for each in self.listed if each not in flows]
        return []


def test_only_what_was_initiated_inside_over_the_dead_line_ends() -> None:
    tracked = Tracked(OWN, TRANSLATED, CAME_IN, MAPPED, OVER_B)
    assert flows.end_flows([(A, 4)], [A, B], tracked) == {"a": 2}
    assert tracked.listed == [CAME_IN, MAPPED, OVER_B]


def test_the_other_family_is_not_touched() -> None:
    tracked = Tracked(OWN)
    assert flows.end_flows([(A, 6)], [A, B], tracked) == {}
    assert tracked.listed == [OWN]


def test_lines_of_one_address_are_told_apart_by_the_mark() -> None:
    second = replace(B, addresses=A.addresses)
    over_a, over_b = replace(OWN, mark=0x101), replace(OWN, mark=0x2)
    tracked = Tracked(over_a, over_b, OWN)
    flows.end_flows([(A, 4)], [A, second], tracked)
    assert tracked.listed == [over_b, OWN]


def test_a_line_may_keep_its_connections() -> None:
    tracked = Tracked(OWN)
    assert flows.end_flows([(replace(A, flows="keep"), 4)], [A, B], tracked) == {}
    assert (tracked.listed, tracked.reads) == ([OWN], 0)


def test_sockets_end_only_where_a_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[Any] = []
    monkeypatch.setattr(flows, "end_sockets", ended.extend)
    flows.end_flows([(A, 4)], [A, B], Tracked(OWN))
    assert ended == []
    aborting: Line = replace(A, flows="abort")
    flows.end_flows([(aborting, 4)], [aborting, B], Tracked(OWN, CAME_IN))
    assert ended == [OWN]
