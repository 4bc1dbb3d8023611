# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper's report: a file that multihome_info reads, and lines for the journal."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import Busy
from ..host import files
from ..lock import is_held
from . import metrics

DIRECTORY = "/run/multihome"
VERSION = 1
# The parts that are lists of objects, and those that are one or null.
_LISTS = frozenset(("damped", "waiting", "zones", "taken", "taken_translations", "taken_defaults", "refused"))
_OBJECTS = frozenset(("last_repair", "last_error"))
# Priorities of syslog(3); journald reads them at the start of a line of standard error.
_PRIORITIES = {"error": 3, "warning": 4, "info": 6}


def log(level: str, text: str) -> None:
    """Write to standard error, line by line; with a priority where the journal reads it."""
    prefix = f"<{_PRIORITIES[level]}>" if "JOURNAL_STREAM" in os.environ else "multihome-keeper: "
    for line in text.splitlines():
        sys.stderr.write(f"{prefix}{line}\n")
    sys.stderr.flush()


def now_text(seconds_from_now: float = 0.0) -> str:
    """Return a time in UTC as text; for display only."""
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds_from_now)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Report:
    """The report file. It is written again when its content changed."""

    def __init__(self, directory: str = DIRECTORY) -> None:
        self._directory = directory
        self._written: Mapping[str, Any] | None = None

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Hold the lock that shows that a keeper runs; raises Busy when another one holds it.

        The kernel releases it with the process, so a killed keeper never looks like a running one.
        """
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        descriptor = os.open(_alive(self._directory), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy("another multihome-keeper runs on this host already; stop that one first") from None
            # For the command, which sends it a signal. Without space for it, the lock holds all the same.
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def write(self, content: Mapping[str, Any]) -> None:
        """Replace the file where its content changed; raises OSError."""
        if content == self._written:
            return
        path = os.path.join(self._directory, "keeper.json")
        files.stage(path, json.dumps({"version": VERSION, **content}, indent=1), 0o600)
        files.replace(path)
        # Not secret: node_exporter reads it without root.
        numbers = os.path.join(self._directory, metrics.NAME)
        files.stage(numbers, metrics.as_text(content), 0o644)
        files.replace(numbers)
        self._written = dict(content)


def read(directory: str = DIRECTORY) -> dict[str, Any]:
    """Return the last report, without what makes no sense, and ``running``: whether a keeper runs now. Never raises."""
    try:
        with open(os.path.join(directory, "keeper.json"), encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError, RecursionError):
        content = {}
    known = content if isinstance(content, dict) and content.pop("version", None) == VERSION else {}
    return {"running": is_held(_alive(directory)), **{name: known[name] for name in known if _makes_sense(name, known)}}


def _makes_sense(name: str, content: Mapping[str, Any]) -> bool:
    """Tell whether a part of a report has the form of its kind; one that is not known here is not judged."""
    value = content[name]
    if name in _LISTS:
        return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)
    if name in _OBJECTS:
        return value is None or isinstance(value, dict)
    return name != "repairs" or (isinstance(value, int) and not isinstance(value, bool))


def read_health(directory: str = DIRECTORY) -> dict[str, Any]:
    """Return what is known of the lines, and ``running``: whether a keeper watches them now. Never raises."""
    from ..health import state  # noqa: PLC0415 - only for who asks

    known = state.read(directory)
    running = bool(known) and is_held(_alive(directory))
    return {"running": running, **{name: known[name] for name in ("time", "usable", "lines") if name in known}}


def process(directory: str = DIRECTORY) -> int | None:
    """Return the process of the running keeper; None when none runs."""
    if not is_held(_alive(directory)):
        return None
    try:
        with open(_alive(directory), encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def _alive(directory: str) -> str:
    return os.path.join(directory, "keeper.alive")
