# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program multihome: its arguments, its exit status, and its errors."""

from __future__ import annotations

import argparse
import datetime
import ipaddress
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TextIO

from ..confirm import LONGEST
from ..confirm_gate import DEFAULT_TIMEOUT
from ..info import checkpoints
from ..keeper.error_text import error_text
from . import changes, drain, journal, repair, status
from .explain.explanation import Explanation
from .explain.kernel import Kernel
from .explain.question import Question
from .failure import CommandFailed
from .host_state import read_host_state, require_root
from .terminal import Page, has_colour

_EPILOG = (
    "Exit status of status: 0 in order, 1 warning, 2 critical, 3 unknown. More: docs/command.md of the collection."
)
_CLEAR = "\x1b[H\x1b[2J"
# After an error: as monitoring reads it, nothing is known.
FAILED = 3


class _Parser(argparse.ArgumentParser):
    """Says the remedy, and ends as status does when nothing is known."""

    def error(self, message: str) -> NoReturn:
        """Print the fault and end."""
        self.exit(FAILED, f"{self.prog}: {message}; see {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    os.environ.setdefault("COLUMNS", "80")
    top = _Parser(
        prog="multihome",
        description="Show and explain the state of this multihomed host, and take lines out of service.",
        epilog=_EPILOG,
    )
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    shown = commands.add_parser("status", help="lines, and everything that is not in order", epilog=_EPILOG)
    shown.add_argument("--watch", nargs="?", type=_seconds, const=2.0, metavar="SECONDS", help="repeat until Ctrl-C")
    shown.set_defaults(run_command=_status)
    asked = commands.add_parser(
        "explain",
        help="the way in and out of an address, a service, a port or a line, and why it is blocked",
        description=(
            "Shows the way of packets in and out, rule by rule, as the live kernel routes and translates them now, and "
            "names what blocks them. TARGET is an address, the name of a service or of a line, or PORT/PROTOCOL."
        ),
        epilog="Exit status: 0 without a problem, 1 with one, 3 when nothing can be said.",
    )
    asked.add_argument("target", metavar="TARGET")
    asked.add_argument("--from", dest="remote", type=_address, metavar="ADDRESS", help="the other end of connections")
    asked.add_argument("-4", dest="families", action="store_const", const=(4,), help="IPv4 only")
    asked.add_argument("-6", dest="families", action="store_const", const=(6,), help="IPv6 only")
    asked.add_argument("--brief", action="store_true", help="only the problems, not the ways")
    asked.add_argument("--all-rules", action="store_true", help="also rules that do not match, one by one")
    asked.set_defaults(run_command=_explain, families=(4, 6))
    repaired = commands.add_parser(
        "repair",
        help="have the keeper look now and restore what is missing",
        description="Has the keeper look now, or looks once itself where no keeper runs, and shows what was missing.",
        epilog="Exit status: 0 when nothing is missing any more, 1 otherwise, 3 when it cannot look.",
    )
    repaired.add_argument("--dry-run", action="store_true", help="only show what is missing")
    repaired.set_defaults(run_command=_repair)
    logged = commands.add_parser("log", help="what the keeper did and found", description="Shows the keeper's log.")
    logged.add_argument("-n", "--lines", type=_count, default=50, metavar="N", help="how many lines (50)")
    logged.add_argument(
        "--since", metavar="TIME", help='as for journalctl: "1 hour ago", yesterday, "2026-01-31 04:00"'
    )
    logged.add_argument("-f", "--follow", action="store_true", help="go on until Ctrl-C")
    logged.add_argument("--file", metavar="FILE", help="the log file, on a host without the systemd journal")
    logged.set_defaults(run_command=_log)
    drained = commands.add_parser(
        "drain",
        help="take a line out of service",
        description=(
            "Takes a line out of service: what this host and its clients initiate uses the other lines. What comes in "
            "by the line is served as before. It also holds after a reboot."
        ),
        epilog="Draining the last usable line is refused without --force.",
    )
    drained.add_argument("line", metavar="LINE")
    drained.add_argument("--reason", default="", metavar="TEXT", help="why; status shows it")
    end = drained.add_mutually_exclusive_group()
    end.add_argument("--until", metavar="TIME", help='until 04:00, "2026-01-31 04:00" or 2026-01-31T04:00:00Z')
    end.add_argument("--for", dest="duration", metavar="TIME", help="for 30min, 2h, 1d")
    drained.add_argument("--force", action="store_true", help="also the last usable line")
    drained.set_defaults(run_command=_drain)
    undrained = commands.add_parser(
        "undrain", help="take a line back into service", description="Takes a line back into service."
    )
    undrained.add_argument("line", metavar="LINE")
    undrained.set_defaults(run_command=_undrain)
    for each in (shown, asked, repaired, logged, drained, undrained, *_add_changes(commands)):
        each.add_argument("--json", action="store_true", help="for programs")
    return top


def _add_changes(commands: Any) -> tuple[argparse.ArgumentParser, ...]:
    """Add the commands about changes that wait for their confirmation."""
    confirmed = commands.add_parser(
        "confirm",
        help="keep changes that wait for their confirmation",
        description="Keeps the changes that wait for their confirmation. Without it, they are reverted in time.",
        epilog="Exit status: 0 confirmed, 1 nothing to confirm, 3 refused, for example after the time is over.",
    )
    confirmed.add_argument("run", nargs="?", metavar="RUN", help="only this run")
    confirmed.set_defaults(run_command=_confirm)
    reverted = commands.add_parser(
        "revert",
        help="restore the state before a change, or an earlier confirmed state",
        description=(
            "Restores the state before the run that waits for its confirmation. Where none waits, it restores a "
            "confirmed state, which is reverted in turn unless it is confirmed."
        ),
        epilog="Exit status: 0 restored, 1 nothing to restore, 3 refused or failed.",
    )
    reverted.add_argument(
        "checkpoint",
        nargs="?",
        metavar="STATE",
        help="a run of --list, its number (1 is the newest), or a time such as 2026-01-31T04:00:00Z",
    )
    reverted.add_argument("--list", action="store_true", help="show the states that can be restored")
    reverted.add_argument("--dry-run", action="store_true", help="only tell whether there is anything to restore")
    reverted.add_argument(
        "--timeout", type=_timeout, default=DEFAULT_TIMEOUT, metavar="SECONDS", help="time to confirm (60)"
    )
    reverted.set_defaults(run_command=_revert)
    return confirmed, reverted


def _timeout(text: str) -> int:
    value = int(text)
    if not 1 <= value <= LONGEST:
        raise ValueError(text)
    return value


def _address(text: str) -> str:
    return str(ipaddress.ip_address(text))


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 100000:
        raise ValueError(text)
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0.2 <= value <= 3600:
        raise ValueError(text)
    return value


def main(arguments: Sequence[str] | None = None, out: TextIO | None = None) -> int:
    """Run the command; return the exit status."""
    out = out or sys.stdout
    options = parser().parse_args(arguments)
    try:
        require_root()
        return int(options.run_command(options, out))
    except Exception as error:  # pylint: disable=broad-exception-caught  # its own status means a warning to monitoring
        text = error.strerror or str(error) if isinstance(error, OSError) else error_text(error)
        page = Page()
        for line in text.splitlines():
            page.add(f"multihome: {line}", 0, 2)
        sys.stderr.write(page.text())
        return FAILED
    except KeyboardInterrupt:
        return 130


def _write(out: TextIO, text: str) -> None:
    try:
        out.write(text)
        out.flush()
    except BrokenPipeError:
        # The reader has ended; Python must not complain about it when it ends itself.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def write_json(out: TextIO, content: Any) -> None:
    """Write an object for programs."""
    _write(out, json.dumps(content, indent=1) + "\n")


def _status(options: argparse.Namespace, out: TextIO) -> int:
    while True:
        state = read_host_state()
        if options.json:
            write_json(out, status.as_json(state))
        else:
            page = Page(has_colour(out))
            status.render(state, page, datetime.datetime.now(datetime.timezone.utc))
            _write(out, (_CLEAR if options.watch and out.isatty() else "") + page.text())
        if not options.watch:
            return status.EXIT[status.level(status.problems(state))]
        time.sleep(options.watch)


def _explain(options: argparse.Namespace, out: TextIO) -> int:
    with Kernel() as kernel:
        found = Explanation(Question(options.target, options.remote, options.families), kernel)
        if options.json:
            write_json(out, found.as_json(options.target))
        else:
            page = Page(has_colour(out))
            found.render(page, options.brief, options.all_rules)
            _write(out, page.text())
        return found.status


def _repair(options: argparse.Namespace, out: TextIO) -> int:
    result = repair.repair(options.dry_run)
    if options.json:
        write_json(out, result)
    else:
        page = Page(has_colour(out))
        repair.render(result, page)
        _write(out, page.text())
    return repair.status(result)


def _log(options: argparse.Namespace, out: TextIO) -> int:
    if options.follow:
        return journal.follow(options.lines)
    found = journal.entries(options.lines, options.since, options.file)
    if options.json:
        write_json(out, {"version": 1, "entries": found})
    else:
        page = Page(has_colour(out))
        journal.render(found, page)
        _write(out, page.text())
    return 0


def _drain(options: argparse.Namespace, out: TextIO) -> int:
    now = time.time()
    try:
        until = drain.moment_at(options.until, now) if options.until else None
        until = drain.moment_after(options.duration, now) if options.duration else until
    except ValueError as error:
        raise CommandFailed(str(error)) from None
    entry = drain.drain(options.line, options.reason, until, options.force)
    end = f" until {entry['until']}" if entry.get("until") else "; multihome undrain takes it back into service"
    _done(options, out, entry, f"{options.line} is drained{end}.")
    return 0


def _undrain(options: argparse.Namespace, out: TextIO) -> int:
    _done(options, out, drain.undrain(options.line), f"{options.line} is in service again.")
    return 0


def _confirm(options: argparse.Namespace, out: TextIO) -> int:
    result = changes.confirm(options.run)
    _done(options, out, result, changes.confirmed_text(result))
    return int(not result["changed"])


def _revert(options: argparse.Namespace, out: TextIO) -> int:
    if options.list:
        found = checkpoints.read()
        if options.json:
            write_json(out, {"version": 1, **found})
        else:
            page = Page(has_colour(out))
            changes.render_list(found, page)
            _write(out, page.text())
        return 0
    result = changes.revert(options.checkpoint, options.timeout, options.dry_run)
    _done(options, out, result, changes.reverted_text(result, options.timeout, options.dry_run))
    return int(not result["changed"])


def _done(options: argparse.Namespace, out: TextIO, result: Mapping[str, Any], text: str) -> None:
    if options.json:
        write_json(out, {"version": 1, **result})
    else:
        page = Page()
        page.add(text)
        _write(out, page.text())


if __name__ == "__main__":
    raise SystemExit(main())
