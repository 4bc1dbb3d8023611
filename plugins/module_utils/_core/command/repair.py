# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`multihome repair`: has the keeper look now, or looks once itself where no keeper runs."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..keeper import report as keeper_report
from ..keeper.keeper import Keeper
from ..keeper.parameters import ParameterCheck
from ..keeper.replies import ReplyCheck
from ..keeper.startup_delay import StartupDelay
from ..keeper.stored_states import ENGINES, States
from ..keeper.watch import FILES
from ..lock import exclusive
from ..store.persistence import DIRECTORY
from .failure import CommandFailed
from .pending import Pending, limits, pending
from .terminal import Page

# The keeper looks at once, unless a module holds the lock.
_PATIENCE = 10.0
_PAUSE = 0.2
_MOST = 20


def repair(dry_run: bool = False) -> dict[str, Any]:
    """Restore what is missing; return what was, what is left, and who looked."""
    before = pending()
    result: dict[str, Any] = {"version": 1, "missing": before.missing, "waiting": before.waiting, "by": None}
    if dry_run:
        return {**result, "left": before.missing}
    process = keeper_report.process()
    if process is not None:
        result["by"] = f"the keeper (process {process})"
        after = _asked(process)
    else:
        result["by"] = "this command, as no keeper runs"
        after = _looked()
    return {**result, "left": after.missing, "waiting": after.waiting}


def _asked(process: int) -> Pending:
    try:
        os.kill(process, signal.SIGHUP)
    except OSError as error:
        raise CommandFailed(f"the keeper (process {process}) cannot be asked: {error.strerror}; try again") from error
    return until_done(pending, time.monotonic() + _PATIENCE)


def until_done(look: Callable[[], Pending], deadline: float) -> Pending:
    """Return what is left once nothing is missing, or at the deadline."""
    while True:
        left = look()
        if not left.missing or time.monotonic() >= deadline:
            return left
        time.sleep(_PAUSE)


def _looked() -> Pending:
    keeper = Keeper(
        States(DIRECTORY, ENGINES, ask_limits=limits),
        functools.partial(exclusive, timeout=_PATIENCE),
        # This is no boot: no address waits for the network manager.
        startup_delay=StartupDelay(float("-inf")),
        replies=ReplyCheck(),
        parameters=ParameterCheck(),
    )
    # What the keeper would log is shown below.
    with contextlib.redirect_stderr(io.StringIO()):
        keeper.check({FILES})
    error = keeper.report()["last_error"]
    left = pending()
    if error and left.missing:
        raise CommandFailed(str(error["error"]))
    return left


def render(result: Mapping[str, Any], page: Page) -> None:
    """Write the text."""
    missing = sum(map(len, result["missing"].values()))
    left = sum(map(len, result["left"].values()))
    page.add("Nothing is missing." if not missing else f"{missing} stored {_objects(missing)} missing:")
    _listed(result["missing"], page)
    if result["by"] is not None:
        page.add(f"Looked: {result['by']}.")
        if missing:
            page.add("Everything is restored." if not left else f"{left} {_objects(left)} still missing:")
            _listed(result["left"] if left else {}, page)
    for name, reason in result["waiting"].items():
        page.add(f"waits: {name}: {reason}", 0, 4, "warning")


def _objects(count: int) -> str:
    return "object is" if count == 1 else "objects are"


def _listed(objects: Mapping[str, Any], page: Page) -> None:
    for kind, names in objects.items():
        for name in names[:_MOST]:
            page.add(f"{kind}: {name}", 2, 4)
        if len(names) > _MOST:
            page.add(f"{kind}: and {len(names) - _MOST} more", 2)


def status(result: Mapping[str, Any]) -> int:
    """Return the exit status: 0 when nothing is missing any more, 1 otherwise."""
    return int(bool(result["left"] or result["waiting"]))
