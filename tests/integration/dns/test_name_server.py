# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A name server on the host itself: its key is replaced while the keeper publishes, and its port may be another's."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.lab.waiting import eventually

from ..keeper.host import Kept
from ..namespaces import Host, Hosts
from ..run_module import run_module
from .servers import KEY, STRANGER, ZONE, TestKey, dig, program, programs
from .test_publishing import DOMAIN, RECORDS, A, B, judge

NEW = TestKey(name="multihome-new", secret=STRANGER.secret)
CONFIGURATION = "/etc/multihome/name_server/knot.conf"
# As a service manager does: the server is started once there is a configuration.
MANAGER = f"while ! [ -e {CONFIGURATION} ]; do sleep 0.1; done; exec knotd -c {CONFIGURATION}"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Hosts("host") as hosts:
        made = hosts["host"]
        for name in ("knotd", "knotc"):
            path = tmp_path / name
            libraries = programs()["LD_LIBRARY_PATH"]
            path.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH={libraries} exec {program(name)} "$@"\n')
            path.chmod(0o755)
        # Whatever runs on the host, modules too, finds them as installed ones.
        made.prefix += ["env", f"PATH={tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin"]
        with (tmp_path / "knot.log").open("w") as log:
            manager = made.start("sh", "-c", MANAGER, stdout=log, stderr=subprocess.STDOUT)
        yield made
        manager.kill()
        manager.wait()


@pytest.fixture
def keeper(host: Host, tmp_path: Path) -> Iterator[Kept]:
    host.run("ip", "address", "add", f"{A}/32", "dev", "lo")
    with Kept(host, tmp_path).running() as kept:
        yield kept


def serve(keeper: Kept, key: TestKey, check: bool = False) -> dict[str, Any]:
    """The first step of the roles: the name server, with a key."""
    zone = {
        "zone": ZONE,
        "key_name": key.name,
        "nameservers": [{"name": f"ns1.{ZONE}", "addresses": [A]}],
        "records": [{"domain": DOMAIN, "addresses": [A, B]}],
    }
    options = {"listen": [A], "zones": [zone], "key_secrets": {key.name: key.secret}}
    return run_module("name_server", options, check=check, netns_prefix=keeper.host.prefix)


def publish(keeper: Kept, key: TestKey) -> dict[str, Any]:
    """The second step: the records."""
    given = {"zone": ZONE, "servers": ["127.0.0.1"], "port": 5305, "records": RECORDS}
    return keeper.run("dns_records", **given, **key.options())


def answered(host: Host) -> list[str]:
    """What clients get."""
    return dig(host, DOMAIN, "A", A)


def test_a_key_is_replaced_without_a_gap(host: Host, keeper: Kept) -> None:
    assert serve(keeper, KEY).get("msg") is None
    assert publish(keeper, KEY).get("msg") is None
    judge(keeper, a=False, b=True)
    eventually(lambda: answered(host) == [B], keeper.log)
    # Between the two steps the keeper goes on with the old key.
    assert serve(keeper, NEW)["changed"]
    assert answered(host) == [B]
    judge(keeper, a=True, b=True)
    eventually(lambda: answered(host) == sorted((A, B)), keeper.log)
    # The new one is known already.
    assert publish(keeper, NEW).get("msg") is None
    judge(keeper, a=False, b=True)
    eventually(lambda: answered(host) == [B], keeper.log)
    assert "is not published" not in keeper.log()
    # The third step: nobody uses the old one any more, and it is refused.
    assert serve(keeper, NEW)["changed"]
    assert answered(host) == [B]
    assert "does not accept the key" in publish(keeper, KEY)["msg"]
    assert not serve(keeper, NEW)["changed"]
    judge(keeper, a=True, b=True)
    eventually(lambda: answered(host) == sorted((A, B)), keeper.log)
    assert "is not published" not in keeper.log()


# Answers nothing; what counts is that it has the port.
FOREIGN = """
import socket, sys, time
kept = []
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)[: int(sys.argv[2])]:
    kept.append(socket.socket(socket.AF_INET, kind))
    kept[-1].bind((sys.argv[1], 53))
kept[0].listen()
print("ready", flush=True)
time.sleep(600)
"""


@contextmanager
def foreign(host: Host, address: str, kinds: int = 2) -> Iterator[None]:
    """Another program has port 53 of an address, by TCP, and by UDP with two ``kinds``."""
    command = ("/usr/bin/python3", "-c", FOREIGN, address, str(kinds))
    process = host.start(*command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield
    process.kill()
    process.wait()


def test_a_port_that_another_program_has_is_named_before_anything_is_changed(host: Host, keeper: Kept) -> None:
    def written() -> str:
        return host.run("find", "/etc/multihome/name_server", "-type", "f", check=False).stdout

    for address, kinds in (("0.0.0.0", 2), (A, 1)):
        with foreign(host, address, kinds):
            for check in (True, False):
                said = serve(keeper, KEY, check=check)["msg"]
                assert f"{A} port 53: python3 (process " in said
                assert "nothing was changed" in said
            assert written() == ""
    # Control: one at another address is not in the way, neither before the server runs nor afterwards.
    with foreign(host, "127.0.0.53"):
        assert serve(keeper, KEY).get("msg") is None
        assert answered(host) == sorted((A, B))
        assert not serve(keeper, KEY)["changed"]
