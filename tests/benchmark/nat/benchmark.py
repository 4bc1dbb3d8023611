# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What address translation costs: packets by the number of mappings, and tasks that make, check and change them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from ..figures import Figure, Report, median_ratio, number
from . import module, packets, tasks

TITLE = "address translation by the number of mappings, ours against iptables rules in a row"


@dataclass(frozen=True)
class Effort:
    """How much is measured. ``counts`` are numbers of mappings, ``compared`` is how many ansible.builtin.iptables adds.

    ``some`` and ``many`` are the mappings of whole tasks, of which ``rounds`` are run; ``cycles`` are how often
    ``some`` mappings are added, changed and removed under load.
    """

    counts: Sequence[int] = (1, 10, 100, 1_000, 10_000)
    # Many short rounds: what else a machine does then meets the numbers of one round more alike.
    asking_rounds: int = 30
    asking_seconds: float = 0.25
    some: int = 1_000
    many: int = 10_000
    rounds: int = 9
    compared: int = 50
    cycles: int = 3


def measure(say: Callable[[str], None], effort: Effort = Effort()) -> Report:
    """Measure packets first, which want a machine to themselves, then tasks."""
    say("requests per second")
    curve = packets.curve(effort.counts, effort.asking_rounds, effort.asking_seconds, say)
    say("requests per second with several shapes")
    mixed = packets.mixed(effort.many, effort.asking_rounds, effort.asking_seconds, say)
    say(f"{effort.some:,} mappings added, changed and removed under load")
    around = packets.around(effort.some, effort.cycles)
    say("whole tasks")
    taken = tasks.seconds_of_tasks(effort.some, effort.many, effort.rounds, effort.compared, say)
    say("one mapping changed")
    steps = module.steps_of_change(effort.many, effort.rounds)
    figures = [*_packet_figures(curve, around, effort), *_mixed_figures(mixed, effort)]
    figures += [*_task_figures(taken, effort), *_step_figures(steps, effort)]
    data = {"effort": asdict(effort), "curve": curve, "mixed": mixed, "around": around, "tasks": taken, "steps": steps}
    return Report(figures, data, f"{_curve_text(curve)}\n\n{_steps_text(steps, effort)}")


def _packet_figures(curve: Mapping[str, Any], around: Mapping[str, Any], effort: Effort) -> list[Figure]:
    one, most = effort.counts[0], effort.counts[-1]
    ours, linear = (median_ratio(curve[kind][most], curve[kind][one]) for kind in (packets.OURS, packets.LINEAR))
    load, control = around["load"], around["control"]
    asked = load["answered"] + load["failed"]
    return [
        Figure(
            f"requests/s, {most:,} mappings to {one:,}, the last one hit",
            ours,
            at_least=0.95,
            note=f"median of {effort.asking_rounds} rounds, in which each number of mappings is asked once",
        ),
        Figure("the same with iptables rules in a row", linear),
        Figure(
            f"requests failed while {effort.some:,} mappings come, change and go around theirs",
            load["failed"],
            at_most=0,
            note=f"of {asked:,} requests, with {around['actions']:,} mappings added, changed or removed meanwhile",
        ),
        Figure(
            "the same where the table is deleted and loaded again in two steps",
            control["failed"],
            note="to show that the load notices a gap",
        ),
    ]


def _mixed_figures(mixed: Mapping[str, Sequence[float]], effort: Effort) -> list[Figure]:
    many = f"{effort.many:,}"
    return [
        Figure(
            f"requests/s, {many} mappings of mixed shapes to one of each",
            median_ratio(mixed["many"], mixed["few"]),
            at_least=0.95,
            note="exact, a range of ports, restricted by source, and of a second address; the last one, exact, is hit",
        ),
        Figure(
            f"    to {many} exact ones", median_ratio(mixed["many"], mixed["exact"]), note="a look-up for each shape"
        ),
    ]


def _task_figures(taken: Mapping[str, Any], effort: Effort) -> list[Figure]:
    some, many = f"{effort.some:,}", f"{effort.many:,}"
    first = median(taken["first"])
    naive = taken["iptables"][0] / effort.compared * effort.some
    scaled = "" if effort.compared == effort.some else f", scaled from {effort.compared} rules"
    return [
        Figure(
            f"task, {some} mappings from nothing: ansible.builtin.iptables in a loop, to ours",
            naive / first,
            at_least=150,
            note=f"{number(naive)} s{scaled}; {number(first)} s",
        ),
        Figure(
            f"task, no-op at {some} mappings, to ping",
            _to_ping(taken, "unchanged_some"),
            at_most=1.8,
            note=f"here and below the median of {effort.rounds} tasks, each to the ping right before it, of "
            f"{number(min(taken['ping']['unchanged_some']))} s at best",
        ),
        Figure("    of this, Ansible's own", _to_ping(taken, "ansible_some"), note="a module that ignores the list"),
        Figure(
            f"task, no-op at {many} mappings, to ping",
            _to_ping(taken, "unchanged_many"),
            at_most=8,
        ),
        Figure("    of this, Ansible's own", _to_ping(taken, "ansible_many")),
        Figure(
            "    the list from host variables, which Ansible searches for templates",
            _to_ping(taken, "variables_many"),
        ),
        Figure(f"peak memory of the module at {many} mappings", max(taken["peak_memory"]) / 1e6, " MB", at_most=150),
    ]


def _to_ping(taken: Mapping[str, Any], name: str) -> float:
    return median_ratio(taken[name], taken["ping"][name])


def _step_figures(steps: Mapping[str, Sequence[float]], effort: Effort) -> list[Figure]:
    beyond = [plan + apply for plan, apply in zip(steps["plan"], steps["apply"], strict=True)]
    return [
        Figure(
            f"one of {effort.many:,} mappings changed, plan and transaction",
            min(beyond) * 1000,
            " ms",
            at_most=50,
            note="within the module, beyond the read; what its other steps take stands above",
        ),
        Figure("    of this, processor time", min(steps["work"]) * 1000, " ms"),
    ]


def _curve_text(curve: Mapping[str, Any]) -> str:
    lines = [
        f"{'mappings':>10}  {'ours':>10}  {'to the first':>12}  {'iptables':>10}  {'to the first':>12}   requests/s"
    ]
    first = curve["counts"][0]
    for count in curve["counts"]:
        cells = [f"{count:>10,}"]
        for kind in (packets.OURS, packets.LINEAR):
            ratio = median_ratio(curve[kind][count], curve[kind][first])
            cells += [f"{median(curve[kind][count]):>10,.0f}", f"{ratio:>12.2f}"]
        lines.append("  ".join(cells))
    return "\n".join(lines)


def _steps_text(steps: Mapping[str, Sequence[float]], effort: Effort) -> str:
    shown = ", ".join(f"{step.replace('_', ' ')} {min(steps[step]) * 1000:.0f}" for step in module.STEPS)
    return f"Steps of the module when one of {effort.many:,} mappings changes, ms: {shown}"
