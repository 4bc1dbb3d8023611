# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recorded states of a host, without the program that restores them."""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any

from ..confirm import ENDED, PLACE, is_run
from ..errors import ReadFailed

# So many can be restored.
_KEPT = 5


def read(place: str = PLACE) -> dict[str, Any]:
    """Return the run that waits for its confirmation, and the confirmed ones, the newest first; raises ReadFailed.

    Earlier runs that cannot be read, and files of other programs, are left out.
    """
    try:
        pending = os.readlink(os.path.join(place, "pending"))
    except FileNotFoundError:
        pending = ""
    except OSError as error:
        raise ReadFailed(f"cannot read {place}/pending: {error.strerror}") from error
    names: list[str] = []
    with contextlib.suppress(FileNotFoundError):
        names = [name for name in os.listdir(place) if is_run(name)]
    found = []
    for name in names:
        with contextlib.nullcontext() if name == pending else contextlib.suppress(ReadFailed):
            status = _status(place, name)
            found += [status] if status and status["run"] == name else []
    found.sort(key=lambda status: (status.pop("number"), str(status["time"])), reverse=True)
    confirmed = [status for status in found if status["state"] == "confirmed"]
    waiting = [status for status in found if status["run"] == pending and status["state"] not in ENDED]
    return {"pending": waiting[0] if waiting else None, "confirmed": confirmed[:_KEPT]}


def _status(place: str, name: str) -> dict[str, Any] | None:
    """Return the plain data of one run, None for one that was never armed."""
    path = os.path.join(place, name, "status.json")
    try:
        with open(path, encoding="utf-8") as file:
            status = json.load(file)
        number = int(status.get("number", 0))
        time = status["ended_at"] or status["armed_at"]
        shown = {"run": status["run"], "state": status["state"], "time": time, "who": status["who"]}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ReadFailed(f"cannot read {path}: {error}") from error
    return {**shown, "summary": status.get("summary", ""), "unproven": status.get("unproven", []), "number": number}
