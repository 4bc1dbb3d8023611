# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routing of many lines: as a task that finds it done, and made from nothing, beside `ip -batch` of the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.multihome.linux.plugins.filter.multihomed_web import FilterModule

FILTERS = FilterModule().filters()
Lists = dict[str, list[dict[str, Any]]]


def lists_of(lines: int) -> Lists:
    """Return tables and rules of a server with so many lines, one address on each, as its role makes them."""
    variables = [
        {
            "name": f"line{number}",
            "id": number,
            "interface": "eth0",
            "addresses": [f"10.0.{number}.1/16"],
            "gateways": [f"10.0.{number}.254"],
        }
        for number in range(1, lines + 1)
    ]
    return {name: FILTERS[f"multihomed_web_{name}"](variables) for name in ("tables", "rules")}


def batch(lists: Lists) -> str:
    """Return the same objects as lines for `ip -batch`."""
    commands = [
        f"route add default via {route['gateway']} dev {route['interface']} table {table['id']} protocol 109"
        for table in lists["tables"]
        for route in table["routes"]
    ]
    for rule in lists["rules"]:
        words = [f"rule add priority {rule['priority']}"]
        words += [f"from {rule['source']}"] if "source" in rule else []
        words += [f"table {rule['table']}"] if "table" in rule else [rule["action"]]
        words += [f"suppress_prefixlength {rule[name]}" for name in ("suppress_prefix_length",) if name in rule]
        commands.append(" ".join([*words, "protocol 109"]))
    return "".join(f"{command}\n" for command in commands)


def made_from_nothing(lines: int, rounds: int, say: Callable[[str], None]) -> dict[str, list[float]]:
    """Return the seconds of `ip -batch` and those within the module, in turn, each on a host without any of it.

    The module's begin with the import of its file, when Python and Ansible's own library are there already, and end
    with its exit; ``imports`` are those of them in which it and pyroute2 are imported.
    """
    from ...integration.routing.hosts import server  # noqa: PLC0415 - what is timed below must not import it

    taken: dict[str, list[float]] = {"module": [], "imports": [], "batch": []}
    lists = lists_of(lines)
    count = len(batch(lists).splitlines())
    for _round in range(rounds):
        with server() as host:
            host.address("eth0", "10.0.255.1/16")
            request = json.dumps({**lists, "_ansible_remote_tmp": os.devnull})
            done = host.run(sys.executable, str(Path(__file__).resolve()), feed=request, timeout=300)
            result, seconds = done.stdout.splitlines()[-1], json.loads(done.stderr.splitlines()[-1])
            kernel_actions = [a for a in json.loads(result)["actions"] if a["object"].keys() & {"table", "action"}]
            if sum("destination" in a["object"] or "priority" in a["object"] for a in kernel_actions) != count:
                raise RuntimeError(f"{len(kernel_actions)} objects instead of {count}")
            taken["module"].append(seconds["module"])
            taken["imports"].append(seconds["imports"])
        with server() as host:
            host.address("eth0", "10.0.255.1/16")
            taken["batch"].append(_seconds_of_batch(host.prefix, batch(lists)))
        say(f"{count} objects: module {taken['module'][-1]:.3f} s, ip -batch {taken['batch'][-1]:.3f} s")
    return taken


def _seconds_of_batch(prefix: list[str], commands: str) -> float:
    """Time ip alone, without the way into the namespace, as the module is timed."""
    program = (
        "import subprocess, sys, time\n"
        "commands = sys.stdin.read()\n"
        "start = time.perf_counter()\n"
        "subprocess.run(['ip', '-batch', '-'], input=commands, text=True, check=True)\n"
        "print(time.perf_counter() - start)\n"
    )
    done = subprocess.run(
        [*prefix, sys.executable, "-c", program], input=commands, capture_output=True, text=True, check=True, timeout=60
    )
    return float(done.stdout)


def _main() -> None:
    # This script's own directory must not shadow what the module imports.
    sys.path[0:1] = []
    from ansible.module_utils.testing import patch_module_args  # noqa: PLC0415 - after sys.path is right

    with patch_module_args(json.load(sys.stdin)):
        start = time.perf_counter()
        from ansible_collections.multihome.linux.plugins.module_utils._core.netlink import (  # noqa: PLC0415 - timed
            pyroute2_loader,
        )
        from ansible_collections.multihome.linux.plugins.modules import policy_routing  # noqa: PLC0415 - timed

        pyroute2_loader.message_classes()  # kept for when the module asks for it
        imported = time.perf_counter()
        try:
            policy_routing.main()
        finally:
            seconds = {"module": time.perf_counter() - start, "imports": imported - start}
            print(json.dumps(seconds), file=sys.stderr)


if __name__ == "__main__":
    _main()
