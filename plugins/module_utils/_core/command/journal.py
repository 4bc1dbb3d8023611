# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`multihome log`: what the keeper did and found, from the journal, or from the file of another service manager."""

from __future__ import annotations

import collections
import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from typing import Any

from ..host import programs
from ..host.installed_paths import NAME
from ..host.requirements import tool
from .failure import CommandFailed
from .terminal import Page

# Where service managers without a journal keep what a service writes.
FILES = (
    "/var/log/multihome-keeper.log",
    "/var/log/multihome-keeper/current",
    "/var/log/multihome/keeper.log",
)
_TIMEOUT = 20.0
_JOURNAL = "/run/systemd/journal"
_LEVELS = {"3": "error", "4": "warning", "6": "info"}


def entries(lines: int, since: str | None, file: str | None) -> list[dict[str, Any]]:
    """Return the last entries: time, level and text; raises CommandFailed where there is no log."""
    if file is None and os.path.isdir(_JOURNAL):
        return list(_of_journal(lines, since))
    found = file or next((path for path in FILES if os.path.isfile(path)), None)
    if found is None:
        raise CommandFailed(
            "this host has no systemd journal, and none of "
            f"{', '.join(FILES)} exists; look where its service manager writes the keeper's standard error, or give "
            "that file with --file"
        )
    if since is not None:
        raise CommandFailed("--since needs the systemd journal; use --lines for a file")
    try:
        with open(found, encoding="utf-8", errors="replace") as text:
            last = collections.deque(text, lines)
    except OSError as error:
        raise CommandFailed(f"{found} cannot be read: {error.strerror}; give another one with --file") from error
    return [{"time": None, "level": None, "text": line.rstrip("\n")} for line in last]


def _arguments(lines: int, since: str | None) -> list[str]:
    return [f"--unit={NAME}", f"--lines={lines}", *([f"--since={since}"] if since else [])]


def _of_journal(lines: int, since: str | None) -> Iterator[dict[str, Any]]:
    path = tool("journalctl")
    if path is None:
        raise CommandFailed("journalctl is not installed; install the package systemd, or give a file with --file")
    arguments = ["--no-pager", "--output=json", *_arguments(lines, since)]
    code, output, errors = programs.run(path, arguments, timeout=_TIMEOUT)
    if code:
        raise CommandFailed(f"journalctl: {errors.strip() or f'exit status {code}'}; see journalctl --help for times")
    for line in output.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            yield _entry(entry)


def _entry(entry: dict[str, Any]) -> dict[str, Any]:
    text = entry.get("MESSAGE")
    if isinstance(text, list):
        # Not UTF-8: the journal gives numbers of bytes.
        text = bytes(byte for byte in text if isinstance(byte, int) and 0 <= byte < 256).decode("utf-8", "replace")
    stamp = str(entry.get("__REALTIME_TIMESTAMP", ""))
    seconds = int(stamp) / 1e6 if stamp.isdecimal() else None
    return {"time": seconds, "level": _LEVELS.get(str(entry.get("PRIORITY")), "info"), "text": str(text or "")}


def follow(lines: int) -> int:
    """Show the journal as it grows, until Ctrl-C; return the exit status."""
    path = tool("journalctl") if os.path.isdir(_JOURNAL) else None
    if path is None:
        raise CommandFailed("--follow needs the systemd journal; use tail -f on the service manager's file")
    arguments: Sequence[str] = [path, "--follow", "--output=short-iso", *_arguments(lines, None)]
    # The terminal is journalctl's own until it ends.
    return subprocess.call(arguments)  # pylint: disable=ansible-bad-function


def render(found: Sequence[dict[str, Any]], page: Page) -> None:
    """Write the text, in the time of this host."""
    if not found:
        page.add("The log is empty.")
    for entry in found:
        style = {"error": "bad", "warning": "warning"}.get(str(entry["level"]), "")
        if entry["time"] is None:
            page.add(entry["text"], 0, 4, style)
        else:
            page.add(time.strftime("%b %d %H:%M:%S ", time.localtime(entry["time"])) + entry["text"], 0, 16, style)
