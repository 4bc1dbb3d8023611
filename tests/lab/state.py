# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a running lab: its record on disk, and how to enter one of its hosts.

The record is one JSON file, `lab/NAME/state.json` in the checkout's `.cache`, or in the user's cache where the lab came
with an installed collection:

    {"name": "default", "options": {...}, "boot_id": "...", "user_namespace": false, "breaks": {"unicom": "carrier"},
     "holder": {"pid": 71, "start": 5001}, "hosts": {"web1": {"pid": 93, "start": 5004}, ...}}

A process is known by its id *and* its start time (proc(5), `/proc/PID/stat` field 22) within one boot, so
that an id used again by somebody else's process is never mistaken for ours. This file imports little, and
nothing of its package: `exec` and the connection plugin have to be quick.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_KEPT_VARIABLES = ("LAB_NAME", "TERM", "NO_COLOR", "LANG", "LC_ALL", "LC_CTYPE", "TZ")


class LabError(Exception):
    """The lab cannot do what was asked; the text says why, and what to do about it."""


def directory(name: str) -> Path:
    """Return the directory of lab `name`: inside a checkout; in the user's cache for an installed collection."""
    # Ansible writes this file into what it installs.
    if not (CHECKOUT / "MANIFEST.json").exists():
        return CHECKOUT / ".cache" / "lab" / name
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache, "multihome", "lab", name)


def start_time(pid: int) -> int | None:
    """Return the start time (clock ticks since boot) of process `pid`, None if there is none or it is a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name stands in brackets and may itself hold spaces and brackets.
    fields = stat.rpartition(b")")[2].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def identify(pid: int) -> dict[str, int]:
    """Return `{"pid": …, "start": …}` for a process that runs; raise LabError if it does not."""
    start = start_time(pid)
    if start is None:
        raise LabError(f"process {pid} of the lab ended while the lab came up")
    return {"pid": pid, "start": start}


def is_alive(process: dict[str, int]) -> bool:
    """Tell whether the very process that `identify` described still runs."""
    return start_time(process["pid"]) == process["start"]


def boot_id() -> str:
    """Return the kernel's id of this boot: start times mean nothing in another one."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def read(name: str) -> dict[str, Any] | None:
    """Return the record of lab `name`, None if there is none or it stems from before a reboot."""
    try:
        record: dict[str, Any] = json.loads((directory(name) / "state.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return record if record["boot_id"] == boot_id() else None


def write(name: str, record: dict[str, Any]) -> None:
    """Replace the record of lab `name` at once: a reader sees the old one or the new one."""
    new = directory(name) / "state.json.new"
    new.write_text(json.dumps(record, indent=1), encoding="utf-8")
    new.replace(directory(name) / "state.json")


def running(name: str) -> dict[str, Any]:
    """Return the record of lab `name`; raise LabError unless its holder runs."""
    record = read(name)
    if record is None or not is_alive(record["holder"]):
        raise LabError(f'lab "{name}" is not up: python3 -m tests.lab up --name {name}')
    return record


def find_tool(tool: str) -> str | None:
    """Return the path of a system tool; an ordinary user's PATH often lacks the sbin directories."""
    return shutil.which(tool, path=os.environ.get("PATH", "") + ":" + SYSTEM_PATH)


def enter_command(record: dict[str, Any], host: str) -> list[str]:
    """Return the words that, put in front of a command, run it on `host` of the lab.

    The command dies with its caller (setpriv(1) --pdeathsig), also when that is killed: nothing stays behind
    on the host. Raises LabError for an unknown host or one that ended.
    """
    process = record["hosts"].get(host)
    if process is None:
        raise LabError(f'no host "{host}" in lab "{record["name"]}", it has: {", ".join(record["hosts"])}')
    if not is_alive(process):
        raise LabError(f'host "{host}" of lab "{record["name"]}" has ended; build the lab again: down, then up')
    words = [find_tool("nsenter") or "nsenter", "--target", str(process["pid"])]
    words += ["--mount", "--uts", "--ipc", "--net", "--pid"]
    if record["user_namespace"]:
        # One user is mapped, and setgroups(2) is denied to it: the credentials must stay as they are.
        words += ["--user", "--preserve-credentials"]
    return [*words, "--", "setpriv", "--pdeathsig", "KILL", "--"]


def host_environment() -> dict[str, str]:
    """Return the environment of a command on a host: a root login there, nothing of the caller's paths."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    if os.environ.get("LAB_KEEPS_COMPILED"):
        kept["PYTHONPATH"] = str(Path(__file__).with_name("compiled"))
    return {**kept, "PATH": SYSTEM_PATH, "HOME": "/root", "USER": "root", "LOGNAME": "root", "SHELL": "/bin/sh"}
