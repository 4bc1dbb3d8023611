# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients of the resolvers Unbound and BIND get, while the keeper withdraws an address and restores it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.tests.lab.waiting import eventually

from ..keeper.host import Kept
from ..namespaces import Host, Hosts
from . import releases, resolvers
from .servers import KEY, ZONE, Knot, NameServer, dig
from .test_publishing import DOMAIN, RECORDS, A, B, judge

TTL = 5
# The same addresses, for longer than the test takes.
SLOW = f"slow.{ZONE}"


@pytest.fixture
def host() -> Iterator[Host]:
    with Hosts("host") as hosts:
        yield hosts["host"]


@pytest.fixture
def server(host: Host, tmp_path: Path) -> Iterator[NameServer]:
    made = Knot(host, tmp_path / "knot")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def addresses(host: Host, server: NameServer, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Where each resolver answers: those of this machine's release, and of Debian 12 and 13."""
    found: dict[str, str] = {}
    with ExitStack() as stack:
        for suite in ("", *releases.OTHERS):
            for kind in resolvers.KINDS:
                name, address = f"{kind} {suite}", f"127.0.0.{10 + len(found)}"
                # BIND listens only at addresses that an interface has.
                host.run("ip", "address", "add", f"{address}/32", "dev", "lo")
                own = releases.programs_of(suite)
                stack.enter_context(resolvers.resolver(host, tmp_path / name, kind, address, server.address, own))
                found[name] = address
        yield found


def test_a_withdrawn_address_is_gone_after_the_ttl_and_comes_back(
    host: Host, keeper: Kept, server: NameServer, addresses: dict[str, str]
) -> None:
    records = [{**RECORDS[0], "ttl": TTL}, {**RECORDS[0], "domain": SLOW, "ttl": 3600}]
    done = keeper.run("dns_records", zone=ZONE, servers=[server.address], records=records, **KEY.options())
    assert done.get("msg") is None

    def answers(domain: str) -> dict[str, list[str]]:
        return {name: dig(host, domain, "A", address) for name, address in addresses.items()}

    both, only = sorted((A, B)), [B]
    assert answers(DOMAIN) == answers(SLOW) == dict.fromkeys(addresses, both)
    judge(keeper, a=False, b=True)
    eventually(lambda: server.ask(DOMAIN, "A") == server.ask(SLOW, "A") == only, keeper.log)
    time.sleep(TTL + 1)
    assert answers(DOMAIN) == dict.fromkeys(addresses, only)
    # Control: they do keep answers, for as long as the TTL says.
    assert answers(SLOW) == dict.fromkeys(addresses, both)
    judge(keeper, a=True, b=True)
    eventually(lambda: server.ask(DOMAIN, "A") == both, keeper.log)
    time.sleep(TTL + 1)
    assert answers(DOMAIN) == dict.fromkeys(addresses, both)
