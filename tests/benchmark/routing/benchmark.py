# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What 250 lines cost a task, and a thousand addresses on each line the requests."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from ..figures import Figure, Report, median_ratio
from . import module, proof, requests, tasks

TITLE = "250 lines as a task and from nothing; requests per second with many addresses"
LINES, ALIASES = 250, 1000


def measure(say: Callable[[str], None]) -> Report:
    """Measure all of it; whatever is compared is measured in turn."""
    say(f"whole tasks, {LINES} lines")
    whole = tasks.seconds_of_tasks(LINES, 9, say)
    say(f"proof that replies leave by their lines, {LINES} lines")
    proven = proof.seconds(LINES, 3, say)
    say(f"{LINES} lines from nothing")
    made = module.made_from_nothing(LINES, 7, say)
    say(f"requests, {ALIASES} addresses on each of four lines")
    rates = requests.rates(ALIASES, 40, 0.4, say)
    figures = [
        Figure(
            f"task that finds {LINES} lines unchanged, to ansible.builtin.ping",
            median_ratio(whole["unchanged"], whole["ping"]),
            at_most=2.5,
            note=f"medians {median(whole['unchanged']):.2f} s and {median(whole['ping']):.2f} s, connection local",
        ),
        Figure(
            f"proof that replies of {LINES} lines leave by them, to a run of the role that changes nothing",
            median_ratio(proven["proof"], proven["run"]),
            at_most=0.05,
            note=f"medians {median(proven['proof']):.2f} s and {median(proven['run']):.1f} s of the processor",
        ),
        Figure(
            f"{LINES} lines from nothing, within the module, to ip -batch",
            median_ratio(made["module"], made["batch"]),
            at_most=15,
            note=f"medians {median(made['module']):.3f} s and {median(made['batch']):.3f} s; with the imports of the "
            "module and of pyroute2, without the start of Python and of Ansible's own library",
        ),
        Figure(
            "the same without the imports",
            median_ratio([m - i for m, i in zip(made["module"], made["imports"], strict=True)], made["batch"]),
            note=f"median of the imports {median(made['imports']):.3f} s",
        ),
        Figure(
            f"requests/s, {ALIASES:,} aliases on each of 4 lines to 1 on each of 2",
            median_ratio(rates[requests.MANY], rates[requests.FEW]),
            at_least=0.95,
            note=f"medians {median(rates[requests.MANY]):,.0f} and {median(rates[requests.FEW]):,.0f}",
        ),
        Figure(
            "the same with one policy rule for each alias",
            median_ratio(rates[requests.RULES], rates[requests.FEW]),
        ),
    ]
    return Report(figures, {"tasks": whole, "proof": proven, "made": made, "rates": rates})
