# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's commands but `exec`: arguments in, one line or a table out."""

from __future__ import annotations

import argparse
import json
import os
import signal
import time

from . import preflight, state
from .lab import BREAKS, Lab
from .state import LabError
from .topology import SHAPES, Line, choose


def main(words: list[str]) -> None:
    """Run one command; raise LabError with the reason if it cannot."""
    options = _parser().parse_args(words)
    options.run(options)


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--name", default=os.environ.get("LAB_NAME", "default"), help="which lab (default: default)")
    parser = argparse.ArgumentParser(prog="python3 -m tests.lab", description="an internet in namespaces")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    up = commands.add_parser("up", parents=[common], help="bring a lab up")
    up.add_argument("--lines", type=int, default=_number("LINES"), help="number of ISP lines (LINES, default 2)")
    up.add_argument("--servers", type=int, default=_number("SERVERS"), help="number of servers (SERVERS, default 1)")
    up.add_argument("--shape", choices=SHAPES, default=os.environ.get("SHAPE", "A"), help="SHAPE, default A")
    up.add_argument("--ids", type=_numbers, help="the lines' ids, as 3,17,250 (default 1,2,…)")
    up.add_argument("--web", choices=["yes", "no"], default="yes", help="run web servers (default yes)")
    up.set_defaults(run=_up)
    down = commands.add_parser("down", parents=[common], help="end a lab")
    down.set_defaults(run=_down)
    status = commands.add_parser("status", parents=[common], help="show hosts, addresses and lines")
    status.set_defaults(run=_status)
    commands.add_parser("exec", help="run a command on a host: exec [--name NAME] HOST -- COMMAND …")
    cut = commands.add_parser("break", parents=[common], help="break a line")
    cut.add_argument("line")
    cut.add_argument("--how", choices=BREAKS, required=True)
    cut.set_defaults(run=_break)
    heal = commands.add_parser("heal", parents=[common], help="heal a line")
    heal.add_argument("line")
    heal.set_defaults(run=_heal)
    check = commands.add_parser("check", help="tell whether a lab can run here")
    check.set_defaults(run=_check)
    return parser


def _number(variable: str) -> int | None:
    text = os.environ.get(variable)
    if text is None:
        return None
    if not text.isdecimal():
        raise LabError(f'{variable}="{text}" is not a number')
    return int(text)


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def _up(options: argparse.Namespace) -> None:
    # Ids given on the command line tell the number of lines better than the environment does.
    lines = options.lines if options.ids is None or options.lines != _number("LINES") else len(options.ids)
    chosen = choose(lines, options.servers, options.shape, options.ids, options.web == "yes")
    lab, begin = Lab(options.name), time.monotonic()
    changed = lab.up(chosen)
    took = f"came up in {time.monotonic() - begin:.1f} s" if changed else "was up already"
    print(f'lab "{lab.name}" {took}: shape {chosen.shape}, {chosen.lines} lines, {len(lab.hosts)} hosts')


def _down(options: argparse.Namespace) -> None:
    print(f'lab "{options.name}" {"is down" if Lab(options.name).down() else "was not up"}')


def _break(options: argparse.Namespace) -> None:
    changed = Lab(options.name).break_line(options.line, options.how)
    print(f"line {options.line} {'is now' if changed else 'was already'} broken: {options.how}")


def _heal(options: argparse.Namespace) -> None:
    changed = Lab(options.name).heal_line(options.line)
    print(f"line {options.line} {'is healed' if changed else 'was whole'}")


def _check(_options: argparse.Namespace) -> None:
    preflight.check(user_namespace=os.geteuid() != 0)
    print("a lab can run here")


def _status(options: argparse.Namespace) -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `status | head` is no error
    lab = Lab(options.name)
    record = state.running(lab.name)
    chosen = lab.topology.options
    kind = "in a user namespace" if record["user_namespace"] else "as root"
    print(f'lab "{lab.name}": shape {chosen.shape}, {chosen.lines} lines, {chosen.servers} servers, {kind}\n')
    heading = ("LINE", "ID", "ISP", "ENDS ON", "PUBLIC ADDRESSES", "STATE")
    print(_table([heading, *(_line_row(lab, line) for line in lab.lines)]))
    rows: list[tuple[str, ...]] = [("HOST", "INTERFACE", "LINK", "ADDRESSES")]
    for host, process in record["hosts"].items():
        rows += _host_rows(lab, host) if state.is_alive(process) else [(host, "", "ended", "")]
    print("\n" + _table(rows))


def _line_row(lab: Lab, line: Line) -> tuple[str, ...]:
    how = lab.breaks.get(line.name)
    end = f"{line.end} {line.interface}"
    return line.name, str(line.id), line.isp, end, " ".join(line.public), f"broken: {how}" if how else "whole"


def _host_rows(lab: Lab, host: str) -> list[tuple[str, ...]]:
    """Return a row per interface, as it is now: with what was deployed on it, without link-local addresses."""
    rows: list[tuple[str, ...]] = []
    for link in json.loads(lab.exec(host, "ip", "-json", "address", "show").stdout):
        if link["ifname"] != "lo":
            addresses = [f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"] if a["scope"] != "link"]
            rows.append((host, link["ifname"], link["operstate"].lower(), " ".join(addresses)))
    return [row if place == 0 else ("", *row[1:]) for place, row in enumerate(rows)]


def _table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
