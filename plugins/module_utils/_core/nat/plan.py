# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that configure the listed translations in the order of their list. No I/O.

The collection owns everything in its part of a backend, so nothing there is foreign. Without purge, unlisted
translations keep their place: after the overlapping entries that they come after now, and before new ones.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..entries import Entry
from ..filters.backend import Current
from ..filters.selection import Selection
from ..plan import Action, Model, Part
from .backend import Desired, NatBackend, State
from .model import NatRule, RuleKey
from .overlap import earlier_overlaps
from .reporting import actions, reported


@dataclass(frozen=True)
class NatPlan:
    """``actions`` in order, the translations ``after`` them, and the changes of the backends.

    ``evaluated`` are the earlier translations, in the order they were tried; ``reordered`` says whether that order
    changes. ``change`` is for the backend in use, ``leaving`` for the one that the host is moved from; None when there
    is nothing to send.
    """

    actions: tuple[Action[Model], ...]
    evaluated: Sequence[NatRule]
    reordered: bool
    after: Sequence[NatRule]
    change: Any = None
    leaving: Any = None

    @functools.cached_property
    def before(self) -> Sequence[NatRule]:
        """The earlier translations in the order of the later ones, so that a diff shows only differences.

        Where the order itself changes, it is the order in which the entries were tried.
        """
        if self.reordered:
            return self.evaluated
        order = {rule.key: position for position, rule in enumerate(self.after)}
        return sorted(self.evaluated, key=lambda rule: order.get(rule.key, len(order)))


def plan_rules(
    selection: Selection[NatBackend],
    desired: Sequence[Entry[NatRule]],
    current: Current[State],
    purge: bool,
    withdrawn: Collection[object] = (),
) -> NatPlan:
    """Return the plan from ``current`` to a state in which every listed entry is configured, first match as listed.

    The translations of the other backend move to this one, and its objects are removed there afterwards. Unlisted
    ones whose key is ``withdrawn`` are removed also without ``purge``.
    """
    here, elsewhere = current.here, current.elsewhere
    configured = {rule.key: rule for rule, _position in here.rules()}
    evaluated = list(configured.values())
    if elsewhere is not None:
        evaluated += [rule for rule, _position in elsewhere.rules() if rule.key not in configured]
    matched = _match(desired, configured, evaluated)
    left = matched.unlisted
    removed = set(left) if purge else {key for key in withdrawn if key in left}
    gone = [rule for key, rule in left.items() if key in removed]
    unlisted = [rule for key, rule in left.items() if key not in removed]
    after = matched.listed
    if unlisted:
        after = _merged(after, [rule for rule in evaluated if rule.key not in removed] if removed else evaluated)
    overlaps = earlier_overlaps(after)
    moved = _moved(after, overlaps, here)
    adding: list[Action[Model]] = [Action("replace", Part(fault)) for fault in here.faults]
    adding += matched.steps
    # Unlisted translations stay, and come along when the host moves.
    adding += [Action("replace", rule) for rule in unlisted if rule.key not in configured]
    changed = {action.object.key for action in adding}
    adding += [Action("replace", rule) for rule in moved if rule.key not in changed]
    removing: list[Action[Model]] = [Action("remove", rule) for rule in reported(gone)]
    removing += [Action("remove", Part(unmanaged)) for unmanaged in here.unmanaged_to_remove(purge)]
    change = None
    if after or evaluated or here.faults or here.unmanaged() or (purge and here.is_present):
        change = selection.backend.change(here, Desired(after, overlaps, frozenset(matched.fresh), purge))
    if change is not None and not adding and not removing:
        # Only the arrangement differs: one stage too many, or an own part that is empty.
        adding.append(Action("replace", Part(f"arrangement of {selection.backend.place}")))
    leaving = None
    if selection.other is not None and elsewhere is not None and elsewhere.is_present:
        leaving = selection.other.change(elsewhere, Desired((), {}, frozenset(), purge))
        removing += [Action("remove", Part(selection.other.place))] if leaving is not None else []
    return NatPlan((*actions(adding), *removing), evaluated, bool(moved), after, change, leaving)


@dataclass
class _Matched:
    """The listed translations, the steps that change them, the keys that count from zero, and those not listed."""

    listed: list[NatRule]
    steps: list[Action[NatRule]]
    fresh: set[object]
    unlisted: dict[RuleKey, NatRule]


def _match(
    desired: Sequence[Entry[NatRule]], configured: Mapping[RuleKey, NatRule], evaluated: Sequence[NatRule]
) -> _Matched:
    """Compare the list with the translations ``configured`` here, and with all ``evaluated`` ones of both backends."""
    # A copy, as each lookup hashes nine fields again, and there may be 10,000 of them.
    found = _Matched([], [], set(), dict(configured))
    is_moving = len(evaluated) > len(configured)
    found.unlisted.update((rule.key, rule) for rule in evaluated[len(configured) :])
    for entry in desired:
        rule = entry.object
        kept = found.unlisted.pop(rule.key, None)
        if kept is not None and rule.satisfied_by(kept):
            found.listed.append(kept)
            if is_moving and kept.key not in configured:
                found.steps.append(Action("replace", kept))
            continue
        found.listed.append(rule)
        found.steps.append(Action("replace" if kept else "add", rule))
        if kept is None or (kept.to_address, kept.to_port) != (rule.to_address, rule.to_port):
            found.fresh.add(rule.key)
    return found


def _merged(listed: list[NatRule], evaluated: list[NatRule]) -> list[NatRule]:
    """Return the listed entries with the unlisted ones among them, each in its present place."""
    order = {rule.key: position for position, rule in enumerate(listed)}
    overlaps = earlier_overlaps(evaluated)
    following: dict[int, list[NatRule]] = {}
    anchors: list[int] = []
    for position, rule in enumerate(evaluated):
        if rule.key in order:
            anchors.append(order[rule.key])
            continue
        anchors.append(max((anchors[earlier] for earlier in overlaps.get(position, ())), default=-1))
        following.setdefault(anchors[-1], []).append(rule)
    result = following.get(-1, [])
    for position, rule in enumerate(listed):
        result.append(rule)
        result += following.get(position, [])
    return result


def _moved(after: Sequence[NatRule], overlaps: Mapping[int, Sequence[int]], here: State) -> list[NatRule]:
    """Return the entries that are tried before an entry which has to come first."""
    if not overlaps:
        return []
    position = {rule.key: place for rule, place in here.rules()}
    moved = []
    for index, earlier in sorted(overlaps.items()):
        place = position.get(after[index].key)
        if place is not None and any(position.get(after[other].key, 0) > place for other in earlier):
            moved.append(after[index])
    return moved
