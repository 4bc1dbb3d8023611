# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof that replies leave by their lines, beside a whole run of the role that changes nothing.

Both are seconds of the processor, so that a busy machine counts less. The proof is all of it: the list as the filter
makes it, on its way to the module as JSON, parsed there, and the kernel's answers.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.multihome.linux.plugins.filter.multihomed_web import FilterModule

from ...integration.namespaces import Host
from ...integration.routing.hosts import server
from ..nat.tasks import play

FILTERS = FilterModule().filters()
# In the host's namespace, as a module: prints the seconds of the processor, and the number of replies and findings.
CHECKING = """
import json, sys, time
from ansible_collections.multihome.linux.plugins.module_utils._core.entries import objects
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink import pyroute2_loader
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.reply_model import parse_replies
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.reply_paths import check_replies
pyroute2_loader.message_classes()
text = sys.stdin.read()
start = time.process_time()
given = json.loads(text)
replies = objects(parse_replies(given["replies"]))
found = check_replies(replies, given["inside_networks"])
print(json.dumps([time.process_time() - start, len(replies), len(found)]))
"""


def lines_of(lines: int) -> list[dict[str, Any]]:
    """Return the role's variable for lines of both families behind firewalls of their own."""
    return [
        {
            "name": f"line{number}",
            "id": number,
            "interface": "eth0",
            "addresses": [f"10.0.{number}.1/16", f"fd00::{number:x}:1/64"],
            "gateways": [f"10.0.{number}.254", f"fd00::{number:x}:254"],
        }
        for number in range(1, lines + 1)
    ]


def seconds(lines: int, rounds: int, say: Callable[[str], None]) -> dict[str, list[float]]:
    """Return the seconds of the proof, and of a run of the role that changes nothing, in turn."""
    variables = lines_of(lines)
    taken: dict[str, list[float]] = {"proof": [], "run": []}
    with server() as host, tempfile.TemporaryDirectory(prefix="multihome-bench-") as name:
        host.address("eth0", "10.0.255.1/16", "fd00::ffff:1/64")
        directory = Path(name)
        entry = f"a ansible_connection=local ansible_python_interpreter={sys.executable}\n"
        (directory / "hosts").write_text(entry, encoding="utf-8")
        role = {"multihomed_web_lines": variables, "multihomed_web_persist": False, "multihomed_web_reply": "source"}
        plays = [{"hosts": "a", "gather_facts": False, "vars": role, "roles": ["multihome.linux.multihomed_web"]}]
        play(host, directory, plays)
        for _round in range(rounds):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            if any(event["changed"] for event in play(host, directory, plays)):
                raise RuntimeError("the second run changed something")
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            taken["run"].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
            taken["proof"].append(_proof(host, variables))
            say(f"proof {taken['proof'][-1]:.3f} s, run {taken['run'][-1]:.2f} s of the processor")
    return taken


def _proof(host: Host, variables: list[dict[str, Any]]) -> float:
    start = time.process_time()
    replies = json.dumps(FILTERS["multihomed_web_replies"](variables))
    made = time.process_time() - start
    done = host.run(sys.executable, "-c", CHECKING, feed=replies)
    checked, count, findings = json.loads(done.stdout)
    if count != 2 * len(variables) or findings:
        raise RuntimeError(f"{count} replies, {findings} findings")
    return made + float(checked)
