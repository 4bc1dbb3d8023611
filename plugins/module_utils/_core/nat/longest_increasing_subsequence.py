# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The elements of a sequence that may stay in place: moving the fewest means keeping the longest increasing part."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence


def longest_increasing_subsequence(numbers: Sequence[int]) -> list[int]:
    """Return the indices of a longest increasing subsequence of distinct numbers."""
    tails: list[int] = []
    at: list[int] = []
    before: list[int] = []
    for index, number in enumerate(numbers):
        place = bisect_left(tails, number)
        before.append(at[place - 1] if place else -1)
        if place == len(tails):
            tails.append(number)
            at.append(index)
        else:
            tails[place] = number
            at[place] = index
    result = []
    index = at[-1] if at else -1
    while index >= 0:
        result.append(index)
        index = before[index]
    return result[::-1]
