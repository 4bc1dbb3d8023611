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
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from .foreign import setup_of
from .lines import PATIENCE
from .shapes import INSIDE_NETWORKS, SHAPES, Request, Shape

SEEDS = range(200)
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


class Asked:
    """A deployed host, and a process there that answers as path_info does."""

    def __init__(self, shape: Shape) -> None:
        self.shape, self.host = shape, shape.host
        pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = self.host.start(sys.executable, "-c", ASKING, **pipe)

    def findings(self) -> list[dict[str, Any]]:
        """What path_info finds."""
        process = self._process
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps({"replies": self.shape.replies, "inside": INSIDE_NETWORKS}) + "\n")
        process.stdin.flush()
        found = json.loads(process.stdout.readline())
        assert isinstance(found, list)
        return found

    def unanswered(self, patience: float = 0.25) -> set[tuple[str, str]]:
        """Lines and families by which a client gets no answer."""

        def asks(request: Request) -> bool:
            ping = ("ping", "-n", "-c", "1", "-W", str(patience), "-I", request.client, request.address)
            return self.shape.hosts[request.host].run(*ping, check=False).returncode == 0

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answered = list(pool.map(asks, self.shape.requests))
        return {
            (f"line{request.line}", f"ipv{request.family}")
            for request, good in zip(self.shape.requests, answered, strict=True)
            if not good
        }

    def silent(self) -> set[tuple[str, str]]:
        """Lines and families that are dead, while path_info names no cause."""
        named = {(found["line"], found["family"]) for found in self.findings() if found["id"] == "reply-taken"}
        dead = self.unanswered() - named
        # Once more: a packet may be late on a busy machine.
        return dead & self.unanswered(PATIENCE) if dead else dead


@pytest.fixture(scope="module", params=SHAPES)
def asked(request: pytest.FixtureRequest) -> Iterator[Asked]:
    make: Callable[[], AbstractContextManager[Shape]] = SHAPES[request.param]
    with make() as shape:
        yield Asked(shape)


def test_no_foreign_setup_takes_a_reply_in_silence(asked: Asked, request: pytest.FixtureRequest) -> None:
    # Each shape gets every fourth seed.
    seeds = SEEDS[list(SHAPES).index(request.node.callspec.params["asked"]) :: len(SHAPES)]
    assert asked.unanswered(PATIENCE) == set()
    assert asked.findings() == []
    taken = 0
    for seed in seeds:
        setup = setup_of(seed, asked.shape.place)
        try:
            setup.apply(asked.host)
            assert asked.silent() == set(), str(setup)
            taken += any(found["id"] == "reply-taken" for found in asked.findings())
        finally:
            setup.remove(asked.host)
    assert asked.unanswered(PATIENCE) == set()
    assert asked.findings() == []
    assert taken > 5, "setups do take replies"


def test_control_many_setups_do_take_replies(asked: Asked) -> None:
    dead = 0
    for seed in SEEDS[:20]:
        setup = setup_of(seed, asked.shape.place)
        setup.apply(asked.host)
        dead += bool(asked.unanswered())
        setup.remove(asked.host)
    assert dead > 1
