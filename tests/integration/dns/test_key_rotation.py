# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A name server on the host itself gets a new key while the keeper of the host publishes with the old one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..keeper.host import Kept
from ..namespaces import Host, Hosts
from ..run_module import run_module
from .servers import KEY, STRANGER, ZONE, TestKey, dig, program, programs, wait_until
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
    kept = Kept(host, tmp_path)
    host.run("mkdir", "-p", "/etc/multihome")
    host.run("ip", "address", "add", f"{A}/32", "dev", "lo")
    kept.start()
    yield kept
    kept.stop()


def serve(keeper: Kept, key: TestKey) -> dict[str, Any]:
    """The first step of the roles: the name server, with a key."""
    zone = {
        "zone": ZONE,
        "key_name": key.name,
        "nameservers": [{"name": f"ns1.{ZONE}", "addresses": [A]}],
        "records": [{"domain": DOMAIN, "addresses": [A, B]}],
    }
    options = {"listen": [A], "zones": [zone], "key_secrets": {key.name: key.secret}}
    return run_module("name_server", options, netns_prefix=keeper.host.prefix)


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
    wait_until(lambda: answered(host) == [B], keeper.log)
    # Between the two steps the keeper goes on with the old key.
    assert serve(keeper, NEW)["changed"]
    assert answered(host) == [B]
    judge(keeper, a=True, b=True)
    wait_until(lambda: answered(host) == sorted((A, B)), keeper.log)
    # The new one is known already.
    assert publish(keeper, NEW).get("msg") is None
    judge(keeper, a=False, b=True)
    wait_until(lambda: answered(host) == [B], keeper.log)
    assert "is not published" not in keeper.log()
    # The third step: nobody uses the old one any more, and it is refused.
    assert serve(keeper, NEW)["changed"]
    assert answered(host) == [B]
    assert "does not accept the key" in publish(keeper, KEY)["msg"]
    assert not serve(keeper, NEW)["changed"]
    judge(keeper, a=True, b=True)
    wait_until(lambda: answered(host) == sorted((A, B)), keeper.log)
    assert "is not published" not in keeper.log()
