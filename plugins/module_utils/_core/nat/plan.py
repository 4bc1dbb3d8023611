# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done so that the listed translations stand in the order of their list. No I/O.

Everything in our part of a backend is ours, so nothing is ever foreign. What stands and is not listed, without purge,
keeps its place: it stays behind the overlapping entries that it is behind now, and in front of new ones.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..entries import Entry
from ..plan import Action, Part
from .backend import Backend, Current, Wanted
from .model import NatRule
from .overlap import earlier_overlaps


@dataclass(frozen=True)
class NatPlan:
    """``actions`` in order, what stands ``after`` them, and what carries them out.

    ``evaluated`` is what stood, in the order it was tried; ``reordered`` tells whether that order changes. ``change``
    is for the backend, ``leaving`` for the one that the host is moved from; None when there is nothing to send.
    """

    actions: tuple[Action[Any], ...]
    evaluated: Sequence[NatRule]
    reordered: bool
    after: Sequence[NatRule]
    change: Any = None
    leaving: Any = None

    @functools.cached_property
    def before(self) -> Sequence[NatRule]:
        """What stood, in the order of what will stand, so that a diff shows only what differs.

        Where the order itself changes, it is the order in which the entries were tried.
        """
        if self.reordered:
            return self.evaluated
        order = {rule.key: position for position, rule in enumerate(self.after)}
        return sorted(self.evaluated, key=lambda rule: order.get(rule.key, len(order)))


def plan_rules(
    backend: Backend, desired: Sequence[Entry[NatRule]], current: Current, purge: bool, other: Backend | None = None
) -> NatPlan:
    """Return the plan from ``current`` to a state in which every listed entry stands, first match as listed.

    What stands in the ``other`` backend moves to this one, and its objects are removed there afterwards.
    """
    here, elsewhere = current.here, current.elsewhere
    standing = {rule.key: rule for rule, _position in here.rules()}
    # A copy, as each look-up takes the hash of nine fields anew, and there may be 10,000 of them.
    unlisted = dict(standing)
    evaluated = list(standing.values())
    if elsewhere is not None:
        evaluated += [rule for rule, _position in elsewhere.rules() if rule.key not in standing]
        unlisted.update((rule.key, rule) for rule in evaluated[len(standing) :])
    adding: list[Action[Any]] = []
    listed: list[NatRule] = []
    fresh = set()
    for entry in desired:
        rule = entry.object
        kept = unlisted.pop(rule.key, None)
        if kept is not None and rule.satisfied_by(kept):
            rule = kept
            if elsewhere is None or rule.key in standing:
                listed.append(rule)
                continue
        listed.append(rule)
        adding.append(Action("replace" if kept else "add", rule))
        if kept is None or (kept.to_address, kept.to_port) != (rule.to_address, rule.to_port):
            fresh.add(rule.key)
    if not purge:
        # What is not listed stays, and comes along when the host moves.
        adding += [Action("replace", rule) for rule in unlisted.values() if rule.key not in standing]
    removing: list[Action[Any]] = [Action("remove", rule) for rule in unlisted.values()] if purge else []
    after = listed if purge or not unlisted else _among(listed, evaluated)
    overlaps = earlier_overlaps(after)
    moved = _moved(after, overlaps, here)
    changed = {action.object.key for action in adding}
    adding += [Action("replace", rule) for rule in moved if rule.key not in changed]
    removing += [Action("remove", Part(stray)) for stray in here.leaving_strays(purge)]
    adding = [Action("replace", Part(fault)) for fault in here.faults] + adding
    change = None
    if after or evaluated or here.faults or here.strays() or (purge and here.stands):
        change = backend.change(here, Wanted(after, overlaps, frozenset(fresh), purge))
    if change is not None and not adding and not removing:
        # Nothing but the arrangement differs: a stage too many, or a part of ours that holds nothing.
        adding.append(Action("replace", Part(f"arrangement of {backend.place}")))
    leaving = None
    if other is not None and elsewhere is not None and elsewhere.stands:
        leaving = other.change(elsewhere, Wanted((), {}, frozenset(), purge))
    if other is not None and leaving is not None:
        removing.append(Action("remove", Part(other.place)))
    return NatPlan(tuple(adding + removing), evaluated, bool(moved), after, change, leaving)


def _among(listed: list[NatRule], evaluated: list[NatRule]) -> list[NatRule]:
    """Return the listed entries with those that stand and are not listed put among them, in their place."""
    order = {rule.key: position for position, rule in enumerate(listed)}
    overlaps = earlier_overlaps(evaluated)
    behind: dict[int, list[NatRule]] = {}
    anchors: list[int] = []
    for position, rule in enumerate(evaluated):
        if rule.key in order:
            anchors.append(order[rule.key])
            continue
        anchors.append(max((anchors[earlier] for earlier in overlaps.get(position, ())), default=-1))
        behind.setdefault(anchors[-1], []).append(rule)
    result = behind.get(-1, [])
    for position, rule in enumerate(listed):
        result.append(rule)
        result += behind.get(position, [])
    return result


def _moved(after: Sequence[NatRule], overlaps: Mapping[int, Sequence[int]], here: Any) -> list[NatRule]:
    """Return the entries that an entry standing behind them now has to be tried before."""
    if not overlaps:
        return []
    position = {rule.key: place for rule, place in here.rules()}
    moved = []
    for index, earlier in sorted(overlaps.items()):
        place = position.get(after[index].key)
        if place is not None and any(position.get(after[other].key, 0) > place for other in earlier):
            moved.append(after[index])
    return moved
