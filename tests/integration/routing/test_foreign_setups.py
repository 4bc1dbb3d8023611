# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Around a deployed host others set up what they like: each reply leaves by its line, or path_info names the cause.

Packets decide. A failing setup is printed with its seed and its commands; `python -m pytest ... -k SEED` repeats it.
"""

from __future__ import annotations

import concurrent.futures
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ..namespaces import Hosts
from .foreign import setup_of
from .lines import FAR, LAN, LINES, deploy, host_in, replies, server_with_lines

SEEDS = range(200)
CHUNK = 50
# It stays in the host's namespace: a start of Python costs more than all that it asks.
ASKING = """
import json, sys
from ansible_collections.multihome.linux.plugins.module_utils._core.entries import objects
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.reply_model import *
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.reply_paths import *
for line in sys.stdin:
    given = json.loads(line)
    found = check_replies(objects(parse_replies(given["replies"])), given["inside"])
    print(json.dumps([finding.as_result() for finding in found]), flush=True)
"""
REPLIES = [entry for family in (4, 6) for entry in replies(family)]


class Asked:
    """A deployed server, and a process there that answers as path_info does."""

    def __init__(self, hosts: Hosts) -> None:
        self.hosts, self.server = hosts, hosts["server"]
        pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = self.server.start(sys.executable, "-c", ASKING, **pipe)

    def findings(self) -> list[dict[str, Any]]:
        """What path_info finds."""
        process = self._process
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps({"replies": REPLIES, "inside": list(LAN.values())}) + "\n")
        process.stdin.flush()
        found = json.loads(process.stdout.readline())
        assert isinstance(found, list)
        return found

    def unanswered(self) -> set[tuple[str, str]]:
        """Lines and families by which a client far away, or in the other line's network, gets no answer."""
        clients = [
            (line, family, client)
            for line in LINES
            for family in (4, 6)
            for client in (FAR[family], host_in(3 - line, family, 50))
        ]

        def asks(line: int, family: int, client: str) -> bool:
            ping = ("ping", "-n", "-c", "1", "-W", "0.25", "-I", client, host_in(line, family, 10))
            return self.hosts[f"isp{line}"].run(*ping, check=False).returncode == 0

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answered = list(pool.map(lambda one: asks(*one), clients))
        return {
            (f"line{n}", f"ipv{family}")
            for (n, family, _client), good in zip(clients, answered, strict=True)
            if not good
        }

    def silent(self) -> set[tuple[str, str]]:
        """Lines and families that are dead, while path_info names no cause."""
        named = {(found["line"], found["family"]) for found in self.findings() if found["id"] == "reply-taken"}
        dead = self.unanswered() - named
        if dead:
            # Once more: a packet may be late on a busy machine.
            time.sleep(0.3)
            dead &= self.unanswered()
        return dead


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    with server_with_lines() as hosts:
        assert deploy(hosts["server"]).get("failed") is not True
        yield Asked(hosts)


@pytest.mark.parametrize("first", range(0, len(SEEDS), CHUNK))
def test_no_foreign_setup_takes_a_reply_in_silence(asked: Asked, first: int) -> None:
    assert asked.silent() == set()
    for seed in SEEDS[first : first + CHUNK]:
        setup = setup_of(seed)
        try:
            setup.apply(asked.server)
            assert asked.silent() == set(), str(setup)
        finally:
            setup.remove(asked.server)
    assert asked.unanswered() == set()
    assert asked.findings() == []


def test_control_many_setups_do_take_replies(asked: Asked) -> None:
    taken = 0
    for seed in SEEDS[:20]:
        setup = setup_of(seed)
        setup.apply(asked.server)
        taken += bool(asked.unanswered())
        setup.remove(asked.server)
    assert taken > 2
