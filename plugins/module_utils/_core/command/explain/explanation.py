# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`multihome explain`: reads the host, asks the kernel, and shows the ways."""

from __future__ import annotations

from typing import Any

from ...keeper.replies import replies_of
from ...nat.engine import NatEngine
from ...nat.model import NatRule
from ...store.format import KINDS
from ..host_state import read_host_state, routing_of, stored_states
from ..lines import line_ways
from ..pending import pending
from ..terminal import Page
from .causes import add_faults
from .kernel import Kernel
from .question import Known, Question, cases
from .text import render
from .ways import Explained, as_result, explained

_MOST_MISSING = 5


class Explanation:
    """The answer to one question, while the kernel is open."""

    def __init__(self, question: Question, kernel: Kernel) -> None:
        states = stored_states()
        engine = routing_of(states)
        nat = states.get("nat_rules")
        if nat is not None:
            kernel.nft_table = str(nat.options["table"])
        self.kernel = kernel
        self.names = dict(engine.names) if engine else {}
        known = Known(
            line_ways(engine),
            [rule for rule, _count in kernel.translations],
            _stored_translations(dict(nat.options)) if nat else [],
            kernel.is_local,
        )
        self.found: list[Explained] = [explained(case, kernel) for case in cases(question, known)]
        host = read_host_state()
        health = {(each.line, int(each.family[-1])): each for each in host.lines} if host.is_fresh else {}
        inside = replies_of(engine)[1] if engine else []
        add_faults(self.found, kernel, health, inside)
        self.pending = pending()

    @property
    def status(self) -> int:
        """The exit status: 0 without a fault, 1 with any."""
        return int(bool(self.pending.missing) or any(one.all_faults for one in self.found))

    def as_json(self, target: str) -> dict[str, Any]:
        """Return everything for programs."""
        return {
            "version": 1,
            "target": target,
            "missing": self.pending.missing,
            "waiting": self.pending.waiting,
            "cases": [as_result(one, self.kernel) for one in self.found],
            "notes": list(dict.fromkeys(self.kernel.notes)),
        }

    def render(self, page: Page, brief: bool, every: bool) -> None:
        """Write the text."""
        missing = [f"{kind}: {name}" for kind, names in self.pending.missing.items() for name in names]
        if missing:
            count = f"{len(missing)} stored objects are" if len(missing) > 1 else "1 stored object is"
            page.row(("PROBLEM", f"{count} missing on this host"), (7,), ("bad", "bold"))
            for text in missing[:_MOST_MISSING]:
                page.add(f"- {text}", 9, 11, "bad")
            if len(missing) > _MOST_MISSING:
                page.add(f"and {len(missing) - _MOST_MISSING} more", 11)
            page.add("remedy: multihome repair; then multihome log, to see what removed them", 11)
        for name, reason in self.pending.waiting.items():
            page.add(f"note: {name} waits: {reason}", 0, 6)
        render(self.found, self.kernel, page, self.names, brief, every)


def _stored_translations(options: dict[str, Any]) -> list[NatRule]:
    engine = NatEngine.from_options({**dict.fromkeys(KINDS["nat_rules"].lists), **options, "purge": False})
    return [entry.object for entry in engine.desired or ()]
