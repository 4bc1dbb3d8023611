# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole tasks, as their user waits for them, each beside ansible.builtin.ping on the same connection."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...integration.routing.hosts import server
from ..nat.tasks import PING, play
from .module import lists_of


def seconds_of_tasks(lines: int, rounds: int, say: Callable[[str], None]) -> dict[str, list[float]]:
    """Return the seconds of policy_routing that finds so many lines as they shall be, and of ping, in turn."""
    lists = lists_of(lines)
    with server() as host, tempfile.TemporaryDirectory(prefix="multihome-bench-") as name:
        host.address("eth0", "10.0.255.1/16")
        directory = Path(name)
        (directory / "lists.json").write_text(json.dumps(lists), encoding="utf-8")
        hosts = [f"{each} ansible_connection=local ansible_python_interpreter={sys.executable}" for each in ("a", "b")]
        (directory / "hosts").write_text("\n".join([*hosts, ""]), encoding="utf-8")
        content = f"{{{{ lookup('ansible.builtin.file', '{directory}/lists.json') | from_json }}}}"
        routing = {"tables": "{{ lists.tables }}", "rules": "{{ lists.rules }}", "purge": True}
        plays = [_one_task("b", {"name": "data", "ansible.builtin.set_fact": {"lists": content}})]
        for each in ["first", *["unchanged"] * rounds]:
            plays += [_one_task("a", PING)]
            plays += [_one_task("b", {"name": each, "multihome.linux.policy_routing": routing})]
        events = play(host, directory, plays)
    taken = {kind: [e["seconds"] for e in events if e["name"] == kind] for kind in ("unchanged", "first", "ping")}
    if any(event["changed"] != (event["name"] == "first") for event in events):
        raise RuntimeError(f"changed where nothing should, or not where it should: {events}")
    taken["ping"] = taken["ping"][1:]
    say(f"unchanged {min(taken['unchanged']):.2f} s, ping {min(taken['ping']):.2f} s, first {taken['first'][0]:.2f} s")
    return taken


def _one_task(host: str, task: dict[str, Any]) -> dict[str, Any]:
    return {"hosts": host, "gather_facts": False, "tasks": [task]}
