# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""/run/multihome/health.json: what is known of the lines, for people, programs and the next run of the keeper."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..host import files
from .line_state import DRAINED, LineHealth
from .usable_lines import Usable

DIRECTORY = "/run/multihome"
NAME = "health.json"
VERSION = 1
# What is older says nothing about now.
RESUMED_WITHIN = 60.0
_DIGITS = 18
_BOOT_ID = "/proc/sys/kernel/random/boot_id"

Remembered = Mapping["tuple[str, int]", Mapping[str, Any]]


def boot_id() -> str:
    """Return what tells this boot from others; empty where the kernel does not say."""
    try:
        with open(_BOOT_ID, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def as_json(
    states: Sequence[LineHealth],
    remembered: Remembered,
    now: float,
    text: str,
    boot: str,
    usable: Mapping[int, Usable] | None = None,
) -> str:
    """Return the file's text. ``now`` is of the monotonic clock, ``text`` the time as people read it.

    ``usable`` are the lines that traffic is sent over, by family.
    """
    lines: dict[str, dict[str, Any]] = {}
    for each in states:
        shown = {
            "state": each.shown,
            "usable": each.is_usable,
            "reason": each.reason,
            "seconds": round(max(0.0, now - each.since), 1),
            "degraded": each.degraded,
            "loss_percent": None if each.loss is None else round(100 * each.loss, 1),
            "rtt_milliseconds": None if each.rtt is None else round(1000 * each.rtt, 1),
            "address": each.address,
            "alarm": each.alarm or None,
            "hold_seconds": each.hold,
            "resume": remembered.get((each.line, each.family)),
        }
        lines.setdefault(each.line, {})[f"ipv{each.family}"] = shown
    # A row for each line in each family: people can read it, and it is written in a tenth of the time.
    rows = [f"{json.dumps(name)}: {_object(families)}" for name, families in lines.items()]
    chosen = {
        f"ipv{family}": {
            "lines": list(found.lines),
            "degraded": sorted(found.degraded),
            "alarm": found.alarm or None,
        }
        for family, found in sorted((usable or {}).items())
    }
    head = json.dumps({"version": VERSION, "time": text, "boot": boot, "at": now, "usable": chosen})
    return head[:-1] + ', "lines": {\n' + ",\n".join(rows) + "\n}}\n"


def _object(families: Mapping[str, Any]) -> str:
    return "{\n" + ",\n".join(f" {json.dumps(name)}: {json.dumps(shown)}" for name, shown in families.items()) + "}"


def write(text: str, directory: str = DIRECTORY, name: str = NAME, mode: int = 0o600) -> None:
    """Replace a file of the directory in one step; raises OSError."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    path = os.path.join(directory, name)
    files.stage(path, text, mode)
    files.replace(path)


def read(directory: str = DIRECTORY) -> dict[str, Any]:
    """Return what the file says; empty when there is none of this version. Never raises."""
    try:
        with open(os.path.join(directory, NAME), encoding="utf-8") as file:
            known = json.load(file, parse_int=_integer)
    except (OSError, ValueError, RecursionError):
        return {}
    return known if isinstance(known, dict) and known.get("version") == VERSION else {}


def _integer(text: str) -> int | float:
    """Return a number of the file; one with too many digits is infinite, as it may not be comparable with others."""
    return int(text) if len(text) < _DIGITS else float("inf")


@dataclass(frozen=True)
class Shown:
    """A line in one family as the file shows it."""

    line: str
    family: int
    is_usable: bool
    degraded: bool
    drained: bool


def shown_lines(known: Mapping[str, Any]) -> list[Shown]:
    """Return the lines that a file's content, from read(), shows; what makes no sense is left out."""
    lines = known.get("lines")
    return [
        Shown(
            str(line), family, shown.get("usable") is True, shown.get("degraded") is True, shown.get("state") == DRAINED
        )
        for line, families in (lines.items() if isinstance(lines, Mapping) else ())
        if isinstance(families, Mapping)
        for family in (4, 6)
        if isinstance(shown := families.get(f"ipv{family}"), Mapping)
    ]


def usable_before(known: Mapping[str, Any]) -> dict[int, tuple[str, ...]]:
    """Return the lines that traffic was sent over, by family, as a file's content says."""
    found = known.get("usable")
    return {
        family: tuple(map(str, chosen["lines"]))
        for family in (4, 6)
        if isinstance(found, Mapping)
        and isinstance(chosen := found.get(f"ipv{family}"), Mapping)
        and isinstance(chosen.get("lines"), list)
    }


def resumable(
    known: Mapping[str, Any], now: float, boot: str
) -> tuple[dict[tuple[str, int], Mapping[str, Any]], float]:
    """Return what a new run resumes from, and how many seconds old it is; nothing of an earlier boot or too old."""
    at, lines = known.get("at"), known.get("lines")
    if not isinstance(at, (int, float)) or not isinstance(lines, Mapping) or known.get("boot") != boot:
        return {}, 0.0
    passed = now - at
    if not 0 <= passed < RESUMED_WITHIN:
        return {}, 0.0
    found = {
        (str(line), family): shown["resume"]
        for line, families in lines.items()
        if isinstance(families, Mapping)
        for family in (4, 6)
        if isinstance(shown := families.get(f"ipv{family}"), Mapping) and isinstance(shown.get("resume"), Mapping)
    }
    return found, passed
