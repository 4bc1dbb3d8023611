# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lines allow now, as a module finds it: the stored lines, and the judgement of the keeper that runs.

It reads the two files by itself and checks only what it uses: a module run must not pay for probes and settings.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import fields
from ..errors import InvalidInput
from ..learned.host_addresses import HostAddresses
from ..lock import is_held
from ..references import bound, references
from ..store.format import Refused, parse
from ..store.journal import RUN
from ..store.persistence import DIRECTORY, load, reason
from .effective import Observed
from .usable_lines import Usable

_LINES, _HEALTH, _ALIVE = "lines.json", "health.json", "keeper.alive"


@dataclass(frozen=True)
class StoredLine:
    """The part of a stored line that tells which routes and shares are its own."""

    name: str
    id: int
    interface: str | None
    addresses: Sequence[str]
    gateways: Sequence[str]
    mark: tuple[int, int] | None


def observed(directory: str = DIRECTORY, run_directory: str = RUN) -> Observed | None:
    """Return the stored lines and which are usable; nobody knows where no keeper runs. None without stored lines.

    Raises InvalidInput for a file of lines that this version cannot have written.
    """
    path = os.path.join(directory, _LINES)
    try:
        text = load(path)
        if text is None:
            return None
        entries = parse(text, _LINES).options["lines"]
        if references(entries):
            entries = bound({"lines": entries}, HostAddresses().now())["lines"]
        lines = [_line(entry) for entry in entries]
    except (OSError, Refused) as error:
        raise InvalidInput([f"{path}: {reason(error)}"]) from error
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput([f"{path}: it is not one of this collection ({type(error).__name__}: {error})"]) from error
    return Observed(lines, _usable(run_directory) if is_held(os.path.join(run_directory, _ALIVE)) else {})


def _line(entry: Mapping[str, Any]) -> StoredLine:
    mark = entry.get("mark")
    return StoredLine(
        str(entry["name"]),
        int(entry["id"]),
        entry.get("interface"),
        tuple(map(str, entry.get("addresses") or ())),
        tuple(map(str, entry.get("gateways") or ())),
        None if mark is None else fields.mark(mark),
    )


def _usable(run_directory: str) -> dict[int, Usable]:
    try:
        with open(os.path.join(run_directory, _HEALTH), encoding="utf-8") as file:
            found = json.load(file)["usable"]
        return {
            family: Usable(tuple(chosen["lines"]), frozenset(chosen["degraded"]))
            for family in (4, 6)
            for chosen in [found.get(f"ipv{family}")]
            if chosen is not None
        }
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError):
        # The keeper has not written it yet, or it is of another version: nothing is known.
        return {}
