# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run an engine in this network namespace again and again, with a fault at each netlink request in turn.

Started in a throw-away namespace by test_undo.py: `python inject_faults.py CASE`, where CASE is a JSON document
`{"engine": "aliases" or "routing", "options": {…}, "fault": "refused" or "interrupt", "undo": true or false}`.
Prints `{"faults": N, "differences": [text, …]}`: how many requests were made to fail, and each that left a trace. When
no request is left to fail, the last run has done all: `"finished": true`.
"""

from __future__ import annotations

import contextlib
import errno
import json
import sys
import time
from typing import Any
from unittest.mock import patch

from ansible_collections.multihome.linux.plugins.module_utils._core.converge import converge
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import ApplyFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import (
    Message,
    Netlink,
    RequestFailed,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.routing import changes
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.alias_engine import AliasEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.engine import RoutingEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.executor import Executor

ENGINES: dict[str, Any] = {"aliases": AliasEngine, "routing": RoutingEngine}
FAULTS: dict[str, BaseException] = {"refused": RequestFailed(errno.ENOBUFS), "interrupt": KeyboardInterrupt()}


class Faulty(Netlink):
    """A socket whose request of one number, counted from 1 over all sockets of a run, fails before it is sent."""

    fault: BaseException
    fails_at: int
    sent: int

    def send(self, operation: str, message: Message) -> None:
        """Send, or fail."""
        Faulty.sent += 1
        if Faulty.sent == Faulty.fails_at:
            raise Faulty.fault
        super().send(operation, message)


def state() -> dict[str, list[str]]:
    """Return all addresses, routes and rules in order; but the order of routes and of IPv6 addresses says nothing."""
    result: dict[str, list[str]] = {}
    with Netlink() as socket:
        for kind in ("address", "route", "rule"):
            shown = [(message.header["family"], _text(message)) for message in socket.dump(kind)]
            ordered = [text for family, text in shown if family == 2 and kind != "route"]
            result[kind] = ordered + sorted(text for family, text in shown if family != 2 or kind == "route")
    return result


def settled_state(expected: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the state; the kernel finishes an IPv6 address by itself, an instant after it was added."""
    deadline = time.monotonic() + 2
    while (now := state()) != expected and time.monotonic() < deadline:
        time.sleep(0.02)
    return now


def _text(message: Message) -> str:
    # What counts seconds is no part of the state.
    told = {name: value for name, value in message.attributes.items() if not name.endswith("CACHEINFO")}
    return json.dumps([message.kind, dict(message.header), told], sort_keys=True)


def run(case: dict[str, Any]) -> str:
    """Run the engine once; return what became of it."""
    options = dict(case["options"], executor=Executor(Faulty))
    try:
        converge(ENGINES[case["engine"]](**options), False, contextlib.nullcontext)
    except ApplyFailed as error:
        return f"not undone: {error.not_undone}" if error.not_undone else "undone"
    except KeyboardInterrupt:
        return "undone"
    return "done"


def inject(case: dict[str, Any]) -> dict[str, Any]:
    """Return the report."""
    Faulty.fault = FAULTS[case["fault"]]
    before = state()
    differences: list[str] = []
    number = 0
    while True:
        number += 1
        Faulty.fails_at, Faulty.sent = number, 0
        outcome = run(case)
        if Faulty.sent < number:
            return {"faults": number - 1, "differences": differences, "finished": outcome == "done"}
        after = settled_state(before)
        if outcome != "undone":
            differences.append(f"request {number}: {outcome}")
        if after != before:
            changes = [
                f"only {side}: {line}"
                for side, one, other in (("before", before, after), ("after", after, before))
                for kind in one
                for line in one[kind]
                if line not in other[kind]
            ]
            differences.append(f"request {number}: " + ("\n".join(changes) or "another order"))
            return {"faults": number, "differences": differences, "finished": False}


if __name__ == "__main__":
    the_case = json.loads(sys.argv[1])
    with contextlib.nullcontext() if the_case["undo"] else patch.object(changes, "restore", lambda *_arguments: []):
        print(json.dumps(inject(the_case)))
