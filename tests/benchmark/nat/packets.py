# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests per second through a firewall by its number of mappings, and what a change of them costs the requests."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from .site import FIRST_PORT, SHAPES, Load, Site, in_shapes

OURS, LINEAR = "ours", "linear"


def curve(counts: Sequence[int], rounds: int, seconds: float, say: Callable[[str], None]) -> dict[str, Any]:
    """Return ``{"counts", "ours": {count: [rate of each round]}, "linear": {...}}``; requests hit the last mapping.

    Every round asks every firewall once, in an order of its own, so that a machine that slows down or has other work
    in between does so to all of them.
    """
    kinds = [(kind, count) for kind in (OURS, LINEAR) for count in counts]
    names = {(kind, count): f"{kind}{count}" for kind, count in kinds}
    rates: dict[str, dict[int, list[float]]] = {OURS: {}, LINEAR: {}}
    with Site(*names.values()) as site:
        for (kind, count), name in names.items():
            rules = site.mappings(name, count)
            if kind == OURS:
                site.load_ours(name, rules)
            else:
                site.load_linear(name, rules)
            site.forget_ended_flows(name)
            # The first packets pay for neighbours and caches.
            _whole(site.ask(name, FIRST_PORT + count - 1, seconds))
        for turn in range(rounds):
            order = list(kinds)
            random.Random(turn).shuffle(order)
            for kind, count in order:
                load = _whole(site.ask(names[kind, count], FIRST_PORT + count - 1, seconds))
                rates[kind].setdefault(count, []).append(load.rate)
            say(f"round {turn + 1} of {rounds}: {_shown(rates, counts)}")
    return {"counts": list(counts), "seconds": seconds, **rates}


def mixed(count: int, rounds: int, seconds: float, say: Callable[[str], None]) -> dict[str, list[float]]:
    """Return the rates of each round with mappings of several shapes: ``count`` of them, and one of each shape.

    ``exact`` are the rates with ``count`` mappings of one shape. Requests hit the last mapping, which is exact.
    """
    sizes = {"exact": count, "few": SHAPES, "many": count}
    rates: dict[str, list[float]] = {name: [] for name in sizes}
    with Site(*sizes) as site:
        for name, size in sizes.items():
            rules = site.mappings(name, size)
            site.load_ours(name, rules if name == "exact" else in_shapes(rules))
            site.forget_ended_flows(name)
            _whole(site.ask(name, FIRST_PORT + size - 1, seconds))
        for turn in range(rounds):
            order = list(sizes)
            random.Random(turn).shuffle(order)
            for name in order:
                rates[name].append(_whole(site.ask(name, FIRST_PORT + sizes[name] - 1, seconds)).rate)
            last = " ".join(f"{name} {rates[name][-1]:,.0f}" for name in sizes)
            say(f"round {turn + 1} of {rounds}: {last} requests/s")
    return rates


def _whole(load: Load) -> Load:
    if load.failed or not load.answered:
        raise RuntimeError(f"{load.failed} requests failed while nothing was changed: {load.fault}")
    return load


def _shown(rates: dict[str, dict[int, list[float]]], counts: Sequence[int]) -> str:
    last = [f"{kind} " + " ".join(f"{rates[kind][count][-1]:,.0f}" for count in counts) for kind in rates]
    return "; ".join(last) + " requests/s"


def around(count: int, cycles: int) -> dict[str, Any]:
    """Add, change and remove ``count`` mappings around the one in use, under load; return what the requests saw.

    ``control`` is the same load while the table is deleted and loaded again in two steps: had the load been unable to
    notice a gap, it would show no failure there either.
    """
    with Site("firewall") as site:
        rules = site.mappings("firewall", count + 1)
        used = rules[count // 2]
        changed = [rule if rule is used else {**rule, "to_port": "81"} for rule in rules]
        site.load_ours("firewall", [used])
        site.forget_ended_flows("firewall")
        port = int(used["destination_port"])
        _whole(site.ask("firewall", port, 0.2))
        site.start_asking("firewall", port, 3600)
        actions = 0
        for _cycle in range(cycles):
            for wanted in (rules, changed, [used]):
                actions += len(site.load_ours("firewall", wanted)["actions"])
        load = site.finish_asking(now=True)
        site.start_asking("firewall", port, 3600)
        for _cycle in range(cycles):
            site["firewall"].run("nft", "delete", "table", "inet", "multihome")
            site.load_ours("firewall", [used])
        control = site.finish_asking(now=True)
    return {"actions": actions, "load": asdict(load), "control": asdict(control)}
