# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of a plain chain of rules: that of the list where it means something, else the one that stands."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from typing import Any

from .model import NatRule


def stable_order(
    rules: Sequence[NatRule], overlaps: Mapping[int, Sequence[int]], standing: Mapping[Any, int]
) -> list[NatRule]:
    """Return the rules so that each comes behind the earlier ones that it overlaps.

    ``overlaps`` gives the positions of those per position, ``standing`` the place where a rule stands, by its key.
    What stands keeps its order as far as possible; what is new comes behind its neighbour of the list.
    """
    ranks: list[tuple[int, int]] = []
    behind = -1
    for position, rule in enumerate(rules):
        place = standing.get(rule.key)
        behind = behind if place is None else place
        ranks.append((behind, position) if place is None else (place, -1))
    waiting = [len(overlaps.get(position, ())) for position in range(len(rules))]
    followers: dict[int, list[int]] = {}
    for position, earlier in overlaps.items():
        for other in earlier:
            followers.setdefault(other, []).append(position)
    ready = [(rank, position) for position, rank in enumerate(ranks) if not waiting[position]]
    heapq.heapify(ready)
    result = []
    while ready:
        _rank, position = heapq.heappop(ready)
        result.append(rules[position])
        for follower in followers.get(position, ()):
            waiting[follower] -= 1
            if not waiting[follower]:
                heapq.heappush(ready, (ranks[follower], follower))
    return result
