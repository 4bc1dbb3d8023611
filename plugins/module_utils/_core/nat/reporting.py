# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Translations as results show them: an exemption of both addresses is one entry there, and two translations. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import cast

from ..plan import Action, Model
from .entry_faults import DESTINATION, SOURCE
from .model import NatRule, hook

KEPT = (DESTINATION, SOURCE)
_OTHER = {DESTINATION: SOURCE, SOURCE: DESTINATION}


def reported(rules: Sequence[NatRule]) -> list[NatRule]:
    """Return the translations with each pair of exemptions that differ only in ``keeps`` as one.

    The order stays what it is at each of the two hooks: between them it has no meaning.
    """
    if not any(rule.keeps for rule in rules):
        return list(rules)
    adjacent = _merged_neighbours(rules)
    if not _pairs(adjacent):
        return adjacent
    return _merged_hooks(rules)


def actions(found: Iterable[Action[Model]]) -> list[Action[Model]]:
    """Return the steps with one for each pair of exemptions that follow each other."""
    result: list[Action[Model]] = []
    for action in found:
        last = result[-1] if result else None
        if last is not None and last.op == action.op and _are_twins(last.object, action.object):
            result[-1] = Action(action.op, _both(action.object))
        else:
            result.append(action)
    return result


def _twin(rule: NatRule) -> NatRule:
    return replace(rule, keeps=_OTHER[str(rule.keeps)])


def _both(rule: object) -> NatRule:
    return replace(cast(NatRule, rule), keeps=None)


def _are_twins(one: object, other: object) -> bool:
    return isinstance(one, NatRule) and bool(one.keeps) and _twin(one) == other


def _merged_neighbours(rules: Iterable[NatRule]) -> list[NatRule]:
    result: list[NatRule] = []
    for rule in rules:
        if result and _are_twins(result[-1], rule):
            result[-1] = _both(rule)
        else:
            result.append(rule)
    return result


def _pairs(rules: Sequence[NatRule]) -> bool:
    alone = {rule for rule in rules if rule.keeps}
    return any(_twin(rule) in alone for rule in alone)


def _merged_hooks(rules: Sequence[NatRule]) -> list[NatRule]:
    """Return the translations of destinations, with those of sources before each exemption that both have."""
    sources = [rule for rule in rules if hook(rule) == SOURCE]
    places = {rule: place for place, rule in enumerate(sources) if rule.keeps}
    result: list[NatRule] = []
    done = 0
    for rule in rules:
        if hook(rule) == SOURCE:
            continue
        place = places.get(_twin(rule), -1) if rule.keeps else -1
        if place < done:
            result.append(rule)
            continue
        result += [*sources[done:place], _both(rule)]
        done = place + 1
    return result + sources[done:]
