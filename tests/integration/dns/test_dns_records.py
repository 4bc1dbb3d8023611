# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""dns_records against Knot, BIND and PowerDNS of Debian 12 and 13."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..namespaces import Hosts
from ..run_module import run_module
from .counting import EACH, WRITERS, count
from .releases import EVERY, OWN
from .servers import KEY, STRANGER, ZONE, NameServer, TestKey

ROOT = Path(__file__).resolve().parents[3]
OLDEST = str(ROOT / ".venv" / "oldest")
BOTH = ["203.0.113.10", "198.51.100.20", "2001:db8:a::10"]

# What another version of the server cannot change.
own_release = pytest.mark.parametrize("server", OWN, indirect=True, ids=str, scope="module")


@pytest.fixture(scope="module", params=EVERY, ids=str)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NameServer]:
    with Hosts("host") as hosts:
        made: NameServer = request.param.on(hosts["host"], tmp_path_factory.mktemp(str(request.param)))
        made.start()
        yield made
        made.stop()


def run(server: NameServer, records: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
    """Run the module at the server's own host."""
    how = {name: options.pop(name) for name in ("check", "diff", "path") if name in options}
    given = {"zone": ZONE, "servers": [server.address], "records": records, **KEY.options(), **options}
    return run_module("dns_records", given, netns_prefix=server.host.prefix, **how)


def test_a_name_gets_all_its_addresses_and_a_second_run_leaves_the_serial(server: NameServer) -> None:
    record = {"domain": f"first.{ZONE}", "addresses": BOTH}
    forecast = run(server, [record], check=True)
    assert server.ask(f"first.{ZONE}", "A") == []
    done = run(server, [record])
    assert done.get("msg") is None
    assert forecast["changed"]
    assert (done["actions"], done["after"]) == (forecast["actions"], forecast["after"])
    assert server.ask(f"first.{ZONE}", "A") == ["198.51.100.20", "203.0.113.10"]
    assert server.ask(f"first.{ZONE}", "AAAA") == ["2001:db8:a::10"]
    serial = server.serial()
    again = run(server, [record], diff=True)
    assert not again["changed"]
    assert again["diff"]["before"] == again["diff"]["after"]
    assert server.serial() == serial
    # Control: a change does raise it.
    assert run(server, [{**record, "ttl": 30}])["changed"]
    assert server.serial() > serial


def test_the_oldest_dnspython_does_the_same(server: NameServer) -> None:
    record = {"domain": f"oldest.{ZONE}", "addresses": BOTH}
    assert run(server, [record], path=[OLDEST])["changed"]
    assert not run(server, [record], path=[OLDEST])["changed"]
    assert server.ask(f"oldest.{ZONE}", "A") == ["198.51.100.20", "203.0.113.10"]


def test_a_foreign_address_is_named_in_check_mode_and_replaced_and_other_records_stay(server: NameServer) -> None:
    domain = f"www.{ZONE}"
    run(server, [{"domain": domain, "addresses": ["192.0.2.99", "203.0.113.10"]}])
    server.host.run("rm", "-f", "/var/lib/multihome/dns_records.json")
    forecast = run(server, [{"domain": domain, "addresses": BOTH}], check=True)
    assert forecast["replaced"] == [{"domain": domain, "type": "A", "addresses": ["192.0.2.99"]}]
    assert server.ask(domain, "A") == ["192.0.2.99", "203.0.113.10"]
    done = run(server, [{"domain": domain, "addresses": BOTH}])
    assert done["replaced"] == forecast["replaced"]
    assert server.ask(domain, "A") == ["198.51.100.20", "203.0.113.10"]
    # Control: what this host wrote itself is not called foreign.
    assert run(server, [{"domain": domain, "addresses": BOTH[:1]}])["replaced"] == []
    assert server.ask(domain, "TXT") == ['"of another program"']
    assert server.ask(domain, "CAA") == ['0 issue "ca.example.net"']
    assert server.ask(f"mail.{ZONE}", "A") == ["192.0.2.25"]


def test_purge_removes_what_this_host_published_and_nothing_else(server: NameServer) -> None:
    kept, gone = f"kept.{ZONE}", f"gone.{ZONE}"
    run(server, [], purge=True)
    run(server, [{"domain": domain, "addresses": BOTH} for domain in (kept, gone)])
    # Without purge the other one stays.
    assert not run(server, [{"domain": kept, "addresses": BOTH}])["changed"]
    done = run(server, [{"domain": kept, "addresses": BOTH}], purge=True)
    assert [action["op"] for action in done["actions"]] == ["remove", "remove"]
    assert server.ask(gone, "A") == server.ask(gone, "AAAA") == []
    assert server.ask(kept, "A") == ["198.51.100.20", "203.0.113.10"]
    assert server.ask(f"mail.{ZONE}", "A") == ["192.0.2.25"]


@own_release
def test_without_withdraw_the_records_stay_and_the_server_is_not_asked(server: NameServer) -> None:
    domain = f"stays.{ZONE}"
    run(server, [], purge=True)
    run(server, [{"domain": domain, "addresses": BOTH}])
    done = run(server, [], purge=True, withdraw=False, port=5399)
    assert [action["op"] for action in done["actions"]] == ["remove"]
    assert server.ask(domain, "A") == ["198.51.100.20", "203.0.113.10"]
    # This host does not know of it any more.
    assert not run(server, [], purge=True)["changed"]
    # Control: with a set that it knows, the dead server is a failure.
    run(server, [{"domain": domain, "addresses": BOTH}])
    assert run(server, [{"domain": domain, "addresses": BOTH[:1]}])["changed"]
    assert run(server, [], purge=True, port=5399).get("failed")
    assert run(server, [], purge=True)["changed"]
    assert server.ask(domain, "A") == []


@own_release
def test_a_set_that_was_there_already_is_removed_once_the_keeper_publishes_it(server: NameServer) -> None:
    domain = f"adopted.{ZONE}"
    record = {"domain": domain, "addresses": BOTH}
    run(server, [], purge=True)
    run(server, [record])
    # As after a new installation of the host: it does not know that it wrote the set.
    run(server, [], purge=True, withdraw=False)
    server.host.run("mkdir", "-p", "/etc/multihome")
    run(server, [record], persist=True)
    done = run(server, [], purge=True, persist=True, key_secret=None)
    assert done.get("msg") is None
    assert server.ask(domain, "A") == server.ask(domain, "AAAA") == []
    # Control: a set that only is as listed belongs to somebody else.
    run(server, [record])
    run(server, [], purge=True, withdraw=False)
    run(server, [record])
    assert not run(server, [], purge=True)["changed"]
    assert server.ask(domain, "A") == ["198.51.100.20", "203.0.113.10"]
    run(server, [{**record, "ttl": 61}])
    run(server, [], purge=True)


def test_the_lease_ends_with_its_records(server: NameServer) -> None:
    domain = f"leased.{ZONE}"
    run(server, [], purge=True)
    run(server, [{"domain": domain, "addresses": BOTH}], publisher="web1")
    code = f"""
import sys
sys.path.insert(0, {str(ROOT / "plugins" / "module_utils")!r})
from _core.dns.client import Client, Replacement
from _core.dns.keys import Key
client = Client({ZONE!r}, "127.0.0.1", Key({KEY.name!r}, {KEY.algorithm!r}, {KEY.secret!r}))
client.replace([Replacement("_multihome.{domain}", "TXT", (), ("publisher=web1 renewal=1",), 60)])
"""
    server.host.run("/usr/bin/python3", "-c", code)
    assert server.ask(f"_multihome.{domain}", "TXT")
    run(server, [], purge=True, publisher="web1")
    assert server.ask(f"_multihome.{domain}", "TXT") == server.ask(domain, "A") == []


def test_a_wildcard_that_answers_for_a_name_is_named_and_stays(server: NameServer) -> None:
    domain = f"shop.wild.{ZONE}"
    record = {"domain": domain, "addresses": BOTH[:2]}
    assert server.ask(domain, "A") == ["192.0.2.98"]
    forecast = run(server, [record], check=True)
    overridden = [{"domain": domain, "type": "A", "wildcard": f"*.wild.{ZONE}"}]
    assert forecast["overridden"] == overridden
    assert f"*.wild.{ZONE} has answered for it" in str(forecast["warnings"])
    assert [action["op"] for action in forecast["actions"]] == ["add"]
    assert server.ask(domain, "A") == ["192.0.2.98"]
    done = run(server, [record])
    assert (done["actions"], done["overridden"]) == (forecast["actions"], overridden)
    assert server.ask(domain, "A") == ["198.51.100.20", "203.0.113.10"]
    assert server.ask(f"other.wild.{ZONE}", "A") == ["192.0.2.98"]
    serial = server.serial()
    again = run(server, [record])
    assert (again["changed"], again["overridden"]) == (False, [])
    assert server.serial() == serial
    # A set of its own that equals the wildcard's is one.
    assert run(server, [{"domain": domain, "addresses": ["192.0.2.98"]}])["changed"]
    assert run(server, [record])["changed"]
    assert server.ask(domain, "A") == ["198.51.100.20", "203.0.113.10"]


def run_and_undo(server: NameServer, domain: str, addresses: list[str]) -> dict[str, Any]:
    """Publish a set, and undo it as after a later step that failed: the answers, and whether the set exists."""
    options = {"zone": ZONE, "servers": [server.address], "records": [{"domain": domain, "addresses": addresses}]}
    code = f"""
import json, sys
sys.path.insert(0, {str(ROOT / "plugins" / "module_utils")!r})
from _core.dns.client import Client, Conflict, Replacement
from _core.dns.engine import DnsEngine
from _core.dns.keys import Key
client = Client({ZONE!r}, {server.address!r}, Key({KEY.name!r}, {KEY.algorithm!r}, {KEY.secret!r}))
def exists():
    try:
        # The prerequisite of an update decides.
        client.replace([Replacement({domain!r}, "A", (), ("192.0.2.1",), 60)])
    except Conflict:
        return True
    client.replace([Replacement({domain!r}, "A", ("192.0.2.1",), ())])
    return False
def values():
    return client.read([({domain!r}, "A")]).sets[{domain!r}, "A"].values
engine = DnsEngine.from_options({options | KEY.options()!r})
current = engine.read()
plan = engine.plan(current)
engine.apply(plan, current)
during = values()
failed = engine.restore(plan, current)
print(json.dumps({{"during": during, "after": values(), "exists": exists(), "failed": failed}}))
"""
    found: dict[str, Any] = json.loads(server.host.run("/usr/bin/python3", "-c", code).stdout)
    assert found.pop("failed") == []
    return found


def test_undo_beside_a_wildcard_restores_whether_the_name_has_a_set(server: NameServer) -> None:
    domain, wildcard, other = f"undo.wild.{ZONE}", ["192.0.2.98"], ["203.0.113.11"]
    run(server, [], purge=True)
    # There was none: it is removed, and the wildcard answers again.
    assert run_and_undo(server, domain, other) == {"during": other, "after": wildcard, "exists": False}
    # There was one. It stays one, also where it equals the wildcard's.
    for earlier in (other, wildcard):
        assert run(server, [{"domain": domain, "addresses": earlier}])["changed"]
        during = ["203.0.113.12"]
        assert run_and_undo(server, domain, during) == {"during": during, "after": earlier, "exists": True}
    # One that equals the wildcard's is removed like any other.
    done = run(server, [], purge=True)
    assert [action["op"] for action in done["actions"]] == ["remove"]
    assert run_and_undo(server, domain, other)["exists"] is False


def test_of_two_names_below_a_wildcard_one_may_have_its_set_already(server: NameServer) -> None:
    one, two = f"one.wild.{ZONE}", f"two.wild.{ZONE}"
    run(server, [], purge=True)
    assert run(server, [{"domain": one, "addresses": BOTH[:1]}])["changed"]
    assert run(server, [{"domain": one, "addresses": ["192.0.2.98"]}])["changed"]
    done = run(server, [{"domain": each, "addresses": BOTH[:1]} for each in (one, two)])
    assert done.get("msg") is None
    assert [each["domain"] for each in done["overridden"]] == [two]
    assert server.ask(one, "A") == server.ask(two, "A") == BOTH[:1]
    run(server, [], purge=True)


def test_questions_of_one_connection_have_different_numbers(server: NameServer) -> None:
    """Also where the library gives each the same."""
    code = f"""
import sys
sys.path.insert(0, {str(ROOT / "plugins" / "module_utils")!r})
import dns.entropy
dns.entropy.random_16 = lambda: 7
from _core.dns.client import Client
from _core.dns.keys import Key
client = Client({ZONE!r}, {server.address!r}, Key({KEY.name!r}, {KEY.algorithm!r}, {KEY.secret!r}))
print(client.read([("mail.{ZONE}", kind) for kind in ("A", "AAAA")]).sets["mail.{ZONE}", "A"].values)
"""
    assert server.host.run("/usr/bin/python3", "-c", code).stdout == "('192.0.2.25',)\n"


def test_an_alias_of_a_wildcard_is_named_and_one_of_the_name_is_refused(server: NameServer) -> None:
    domain = f"shop.aliases.{ZONE}"
    done = run(server, [{"domain": domain, "addresses": BOTH[:2]}])
    assert done.get("msg") is None
    assert done["overridden"] == [{"domain": domain, "type": "A", "wildcard": f"*.aliases.{ZONE}"}]
    assert server.ask(domain, "A") == ["198.51.100.20", "203.0.113.10"]
    assert "CNAME" in run(server, [{"domain": f"*.aliases.{ZONE}", "addresses": BOTH}])["msg"]


def test_a_wildcard_is_published_and_a_foreign_one_is_named_before_it_is_replaced(server: NameServer) -> None:
    domain = f"*.foreign.{ZONE}"
    record = {"domain": domain, "addresses": BOTH[:2]}
    replaced = [{"domain": domain, "type": "A", "addresses": ["192.0.2.97"]}]
    assert run(server, [record], check=True)["replaced"] == replaced
    assert run(server, [record])["replaced"] == replaced
    assert server.ask(f"any.foreign.{ZONE}", "A") == ["198.51.100.20", "203.0.113.10"]
    assert not run(server, [record])["changed"]


def refusal(server: NameServer, key: TestKey | None, zone: str = ZONE) -> str:
    """The failure of a run with another key or zone; nothing may have changed."""
    serial = server.serial()
    options = key.options() if key else {"key_name": "", "key_secret": None}
    result = run(server, [{"domain": f"refused.{zone}", "addresses": BOTH}], zone=zone, **options)
    assert result.get("failed")
    assert server.serial() == serial
    assert server.ask(f"refused.{ZONE}", "A") == []
    return str(result["msg"])


def test_a_wrong_key_a_wrong_zone_and_a_key_without_rights_are_told_apart(server: NameServer) -> None:
    wrong_secret = refusal(server, TestKey(secret=STRANGER.secret))
    unknown = refusal(server, TestKey(name="nobody"))
    algorithm = refusal(server, TestKey(algorithm="hmac-sha512"))
    assert "BADSIG" in wrong_secret or "does not accept the key" in wrong_secret
    for text in (unknown, algorithm):
        assert "does not accept the key" in text
    for zone in ("example.org", "example.com", f"nozone.{ZONE}"):
        text = refusal(server, KEY, zone)
        assert f"does not have the zone {zone}" in text
        assert "the key was not judged" in text
    without_rights = refusal(server, STRANGER)
    assert "access list" in without_rights
    assert "access list" not in wrong_secret or "does not accept the key" in wrong_secret
    assert "without a key" in refusal(server, None)


@own_release
def test_a_server_that_is_not_there_and_a_source_that_is_not_ours(server: NameServer) -> None:
    record = {"domain": f"nowhere.{ZONE}", "addresses": BOTH}
    assert "refused" in run(server, [record], port=5399)["msg"]
    result = run(server, [record], sources=["192.0.2.77"])
    assert "does not have the source address" in result["msg"]
    # The next source, and the next server, are tried.
    assert run(server, [record], sources=["192.0.2.77", {"line": "unicom"}])["changed"]
    assert not run(server, [record], servers=["127.0.0.99", server.address])["changed"]


def test_an_alias_and_a_delegated_name_are_refused(server: NameServer) -> None:
    assert "CNAME" in run(server, [{"domain": f"alias.{ZONE}", "addresses": BOTH}])["msg"]
    assert "delegated" in run(server, [{"domain": f"sub.{ZONE}", "addresses": BOTH}])["msg"]


@own_release
def test_the_key_is_kept_for_root_only_and_never_shown(server: NameServer) -> None:
    record = {"domain": f"stored.{ZONE}", "addresses": [{"address": BOTH[0], "line": "unicom"}]}
    done = run(server, [record], persist=True, diff=True)
    assert KEY.secret not in json.dumps(done)
    shown = server.host.run("stat", "-c", "%a %U", "/etc/multihome/keys", f"/etc/multihome/keys/{KEY.name}.key").stdout
    assert shown == "700 root\n600 root\n"
    stored = server.host.run("cat", f"/etc/multihome/dns_records.{ZONE}.json").stdout
    assert KEY.secret not in stored
    assert json.loads(stored)["records"][0]["addresses"] == [{"address": BOTH[0], "line": "unicom"}]
    # The file has the secret from then on.
    without = run(server, [record], key_secret=None, persist=True)
    assert without.get("msg") is None
    assert not without["changed"]
    gone = run(server, [], purge=True, persist=True)
    assert gone.get("msg") is None
    left = server.host.run("find", "/etc/multihome", "/var/lib/multihome", "-type", "f", check=False)
    assert left.stdout == ""


def test_a_rotated_key_has_no_gap(server: NameServer) -> None:
    record = {"domain": f"rotated.{ZONE}", "addresses": BOTH}
    new = TestKey(name="multihome-web2", secret=STRANGER.secret)
    run(server, [record], persist=True)
    # The server does not know the new key yet: the old one stays stored.
    assert run(server, [record], persist=True, **new.options()).get("failed")
    assert f'"{KEY.name}"' in server.host.run("cat", f"/etc/multihome/dns_records.{ZONE}.json").stdout
    assert not run(server, [record], key_secret=None, persist=True)["changed"]
    try:
        server.allow((KEY, new))
        done = run(server, [record], persist=True, **new.options())
        assert done.get("msg") is None
        # No zone uses the old one any more.
        assert server.host.run("ls", "/etc/multihome/keys").stdout == f"{new.name}.key\n"
        server.allow((new,))
        assert run(server, [record], key_name=new.name, key_secret=None, persist=True).get("msg") is None
    finally:
        server.allow((KEY,))
    run(server, [], purge=True, persist=True)


def test_a_set_that_changes_between_reading_and_the_update_is_not_overwritten(server: NameServer) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(ROOT / "plugins" / "module_utils")!r})
from _core.dns.client import Client, Conflict, Replacement
from _core.dns.keys import Key
client = Client({ZONE!r}, "127.0.0.1", Key({KEY.name!r}, {KEY.algorithm!r}, {KEY.secret!r}))
domain = "race.{ZONE}"
client.replace([Replacement(domain, "A", (), ("192.0.2.1",), 60)])
try:
    stale = Replacement(domain, "A", (), ("192.0.2.2",), 60)
    client.replace([stale, Replacement("x." + domain, "A", (), ("192.0.2.3",), 60)])
    print("overwritten")
except Conflict:
    print("conflict")
client.replace([Replacement(domain, "A", ("192.0.2.1",), ("192.0.2.2",), 60)])
"""
    assert server.host.run("/usr/bin/python3", "-c", code).stdout == "conflict\n"
    assert server.ask(f"race.{ZONE}", "A") == ["192.0.2.2"]
    # All of an update or nothing of it.
    assert server.ask(f"x.race.{ZONE}", "A") == []


def test_competing_updates_lose_no_increment(server: NameServer) -> None:
    total, _conflicts = count(server)
    assert total == WRITERS * EACH


def test_control_without_prerequisites_increments_are_lost(server: NameServer) -> None:
    # One after the other by chance: then once more.
    assert any(count(server, guarded=False)[0] < WRITERS * EACH for _try in range(5))


@own_release
def test_all_faults_of_the_list_are_reported_at_once(server: NameServer) -> None:
    result = run(
        server,
        [
            {"domain": "www.example.org", "addresses": BOTH},
            {"domain": f"a.{ZONE}", "addresses": []},
            {"domain": f"b.{ZONE}", "addresses": ["203.0.113.300"], "tll": 5},
        ],
        key_secret="not base64!",
        sources=["nowhere"],
    )
    assert len(result["faults"]) == 6
    assert "not base64!" not in json.dumps(result)
