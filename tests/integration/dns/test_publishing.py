# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper as a program publishes a stored zone on Knot, BIND and PowerDNS, as the lines' health says."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.tests.lab.waiting import eventually

from ..keeper.host import Kept
from ..namespaces import Hosts
from .servers import KEY, KINDS, NAMES, STRANGER, ZONE, NameServer, TestKey
from .servers import RECORDS as RECORDS_OF_ZONE

ROOT = Path(__file__).resolve().parents[3]
DOMAIN = f"www.{ZONE}"
A, B = "203.0.113.10", "198.51.100.20"
RECORDS = [{"domain": DOMAIN, "addresses": [{"address": A, "line": "a"}, {"address": B, "line": "b"}]}]


@pytest.fixture(scope="module", params=NAMES)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NameServer]:
    with Hosts("host") as hosts:
        made = KINDS[request.param](hosts["host"], tmp_path_factory.mktemp(request.param))
        made.start()
        yield made
        made.stop()


@pytest.fixture
def keeper(keeper: Kept, server: NameServer) -> Iterator[Kept]:
    """The tests share a server: nothing stays in its zone."""
    yield keeper
    keeper.run("dns_records", zone=ZONE, servers=[server.address], records=[], purge=True, **KEY.options())


def judge(server: NameServer | Kept, **lines: bool) -> None:
    """Write the lines' health as the keeper's own file has it."""
    shown = {name: {"ipv4": {"usable": usable, "resume": {}}} for name, usable in lines.items()}
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    content = {"version": 1, "boot": boot, "at": time.monotonic() - 0.1, "lines": shown}
    script = "cat > /run/multihome/health.new && mv /run/multihome/health.new /run/multihome/health.json"
    server.host.run("sh", "-c", script, feed=json.dumps(content))


def published(server: NameServer, *addresses: str) -> bool:
    """Whether exactly these addresses are published."""
    return server.ask(DOMAIN, "A") == sorted(addresses)


def test_an_address_follows_its_line_and_the_records_are_repaired(server: NameServer, keeper: Kept) -> None:
    done = keeper.run("dns_records", zone=ZONE, servers=[server.address], records=RECORDS, **KEY.options())
    assert done.get("msg") is None
    assert published(server, A, B)
    judge(server, a=False, b=True)
    eventually(lambda: published(server, B), keeper.log)
    # A deployment during the outage changes nothing.
    again = keeper.run("dns_records", zone=ZONE, servers=[server.address], records=RECORDS, **KEY.options())
    assert not again["changed"]
    assert again["withdrawn"] == [{"domain": DOMAIN, "address": A, "line": "a"}]
    # All lines are down: the set stays.
    serial = server.serial()
    judge(server, a=False, b=False)
    time.sleep(1)
    assert published(server, B)
    judge(server, a=True, b=True)
    eventually(lambda: published(server, A, B), keeper.log)
    assert server.serial() > serial
    # Foreign addresses are named in the log, and replaced.
    interfere(server)
    assert published(server, "192.0.2.99")
    eventually(lambda: published(server, A, B), keeper.log, seconds=90)
    assert f"{DOMAIN}: A 192.0.2.99 of another owner is replaced" in keeper.log()
    assert server.ask(DOMAIN, "TXT") == ['"of another program"']


def test_control_without_a_keeper_nothing_is_withdrawn(server: NameServer, tmp_path: Path) -> None:
    kept = Kept(server.host, tmp_path)
    server.host.run("rm", "-f", "/run/multihome/health.json")
    kept.run("dns_records", zone=ZONE, servers=[server.address], records=RECORDS, **KEY.options())
    judge(server, a=False, b=True)
    time.sleep(3)
    assert published(server, A, B)
    kept.run("dns_records", zone=ZONE, servers=[server.address], records=[], purge=True, **KEY.options())


def test_a_server_that_is_dead_does_not_delay_the_repair_of_routes(server: NameServer, keeper: Kept) -> None:
    keeper.run("dns_records", zone=ZONE, servers=[server.address], records=RECORDS, **KEY.options())
    assert server.process is not None
    # Stopped, not ended: it takes connections and never answers.
    server.process.send_signal(signal.SIGSTOP)
    try:
        keeper.run("ip_aliases", aliases=[{"address": "192.0.2.200/32", "interface": "lo"}])
        judge(server, a=False, b=True)
        for _round in range(3):
            server.host.run("ip", "address", "del", "192.0.2.200/32", "dev", "lo")
            eventually(
                lambda: "192.0.2.200" in server.host.run("ip", "address", "show", "dev", "lo").stdout, keeper.log
            )
    finally:
        server.process.send_signal(signal.SIGCONT)
    eventually(lambda: published(server, B), keeper.log, seconds=60)
    keeper.run("ip_aliases", aliases=[], purge=True)


def test_two_publishers_share_a_domain_on_a_real_server(server: NameServer) -> None:
    """By a clock of the test's own: opposite views for ten minutes, and then one of them is dead."""
    code = f"""
import sys
sys.path.insert(0, {str(ROOT / "plugins" / "module_utils")!r})
from _core.dns.effective import Lines
from _core.dns.publisher import Publisher
OPTIONS = {{"zone": {ZONE!r}, "servers": ["127.0.0.1"], "key_name": {KEY.name!r}, "key_algorithm": {KEY.algorithm!r},
    "records": {[{**RECORDS[0], "domain": f"shared.{ZONE}"}]!r}}}
class Files:
    def load(self, _path):
        return 'key "{KEY.name}" {{\\n\\talgorithm {KEY.algorithm};\\n\\tsecret "{KEY.secret}";\\n}};\\n'
one, two = (Publisher({{**OPTIONS, "publisher": name}}, lambda *_: None, Files()) for name in ("web1", "web2"))
def lines(usable):
    return {{4: Lines(frozenset("ab"), frozenset(usable))}}
seen = []
def look():
    values = one._servers.read([("shared.{ZONE}", "A")]).sets["shared.{ZONE}", "A"].values
    if seen[-1:] != [values]:
        seen.append(values)
for now in range(0, 600, 10):
    one.step(lines("a"), now)
    two.step(lines("b"), now + 3)
    look()
for now in range(600, 690, 10):
    two.step(lines("b"), now + 3)
    look()
print(seen)
"""
    assert server.host.run("/usr/bin/python3", "-c", code).stdout == f"[('{A}',), ('{B}',)]\n"


def interfere(server: NameServer) -> None:
    """Replace the published addresses, as another program with the same key does."""
    code = f"""
import sys
sys.path.insert(0, {str(ROOT / "plugins" / "module_utils")!r})
from _core.dns.client import Client, Replacement
from _core.dns.keys import Key
client = Client({ZONE!r}, "127.0.0.1", Key({KEY.name!r}, {KEY.algorithm!r}, {KEY.secret!r}))
client.replace([Replacement({DOMAIN!r}, "A", ({A!r}, {B!r}), ("192.0.2.99",), 60)])
"""
    server.host.run("/usr/bin/python3", "-c", code)


def test_a_keeper_that_finds_nothing_to_do_leaves_the_serial(server: NameServer) -> None:
    """By a clock of the test's own: ten minutes of looks, of a host that publishes alone."""
    code = f"""
import sys
sys.path.insert(0, {str(ROOT / "plugins" / "module_utils")!r})
from _core.dns.publisher import Publisher
OPTIONS = {{"zone": {ZONE!r}, "servers": ["127.0.0.1"], "key_name": {KEY.name!r}, "key_algorithm": {KEY.algorithm!r},
    "records": {[{**RECORDS[0], "domain": f"quiet.{ZONE}"}]!r}}}
class Files:
    def load(self, _path):
        return 'key "{KEY.name}" {{\\n\\talgorithm {KEY.algorithm};\\n\\tsecret "{KEY.secret}";\\n}};\\n'
one = Publisher(OPTIONS, lambda *_: None, Files())
for now in range(0, int(sys.argv[1]), 30):
    one.step({{}}, now)
"""
    server.host.run("/usr/bin/python3", "-c", code, "30")
    serial = server.serial()
    assert server.ask(f"quiet.{ZONE}", "A") == sorted((A, B))
    server.host.run("/usr/bin/python3", "-c", code, "600")
    assert server.serial() == serial


def status(server: NameServer) -> tuple[str, str]:
    """The level and the problems that `multihome status` shows on the host."""
    code = f"""
import sys
sys.path.insert(0, {str(ROOT / "plugins" / "module_utils")!r})
from _core.command.main import main
main(["status", "--json"])
"""
    shown = json.loads(server.host.run("/usr/bin/python3", "-c", code, check=False).stdout)
    return shown["status"], "\n".join(problem["text"] for problem in shown["problems"] if "zone" in problem["text"])


def test_status_shows_a_zone_that_the_server_does_not_have(server: NameServer, keeper: Kept) -> None:
    keeper.run("dns_records", zone=ZONE, servers=[server.address], records=RECORDS, persist=True, **KEY.options())
    eventually(lambda: status(server)[1] == "", keeper.log)
    server.zone, server.records = "svc.example.net", [each.replace(ZONE, "svc.example.net") for each in RECORDS_OF_ZONE]
    try:
        server.allow((KEY,))
        eventually(lambda: "does not have the zone" in status(server)[1], keeper.log, seconds=90)
        level, problems = status(server)
        assert level == "critical"
        assert f"zone {ZONE} is not published: {server.address}: it does not have the zone {ZONE}" in problems
        # The key is not called wrong.
        assert "the key was not judged" in problems
    finally:
        server.zone, server.records = ZONE, RECORDS_OF_ZONE
        server.allow((KEY,))
    # Control: with the right zone nothing is wrong any more, and the records are published there.
    eventually(lambda: status(server)[1] == "", keeper.log, seconds=60)
    assert published(server, A, B)


def test_status_tells_a_wrong_key_from_an_access_list_and_from_a_dead_server(server: NameServer, keeper: Kept) -> None:
    keeper.run("dns_records", zone=ZONE, servers=[server.address], records=RECORDS, persist=True, **KEY.options())
    judge(server, a=True, b=True)
    other = TestKey(name="other", secret=STRANGER.secret)
    eventually(lambda: status(server)[1] == "", keeper.log)
    try:
        # The key is known, and may not change the zone.
        server.known = (KEY,)
        server.allow((other,))
        judge(server, a=False, b=True)
        eventually(lambda: "access list" in status(server)[1], keeper.log, seconds=60)
        assert status(server)[0] == "critical"
        assert f"zone {ZONE} is not published: {server.address}: " in status(server)[1]
        # The key is not known.
        server.known = ()
        server.allow((other,))
        eventually(lambda: "does not accept the key" in status(server)[1], keeper.log, seconds=60)
        server.stop()
        eventually(lambda: "refused" in status(server)[1], keeper.log, seconds=60)
    finally:
        server.known = (STRANGER,)
        server.allow((KEY,))
    # Control: with the key back, nothing is wrong any more.
    eventually(lambda: status(server)[1] == "", keeper.log, seconds=60)
    assert published(server, B)
