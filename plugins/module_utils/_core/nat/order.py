# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of a plain chain of rules: the order of the list where it has a meaning, else the present one."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

from .model import NatRule, RuleKey


def stable_order(
    rules: Sequence[NatRule], overlaps: Mapping[int, Sequence[int]], positions: Mapping[RuleKey, int]
) -> list[NatRule]:
    """Return the rules so that each comes after the earlier ones that it overlaps.

    ``overlaps`` gives the positions of those per position, ``positions`` the present place of a rule, by its key.
    Existing rules keep their order as far as possible; a new one comes after its neighbour in the list.
    """
    ranks: list[tuple[int, int]] = []
    latest = -1
    for position, rule in enumerate(rules):
        place = positions.get(rule.key)
        latest = latest if place is None else place
        ranks.append((latest, position) if place is None else (place, -1))
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
