# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Publishers on a pretended zone and clock: who publishes, what, and what happens when one of them dies."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.dns.client import (
    Conflict,
    Content,
    Replacement,
    ServerFault,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.dns.effective import Lines
from ansible_collections.multihome.linux.plugins.module_utils._core.dns.lease import READ_EVERY, Lease, lease_domain
from ansible_collections.multihome.linux.plugins.module_utils._core.dns.model import Key, RecordSet
from ansible_collections.multihome.linux.plugins.module_utils._core.dns.publisher import Publisher
from ansible_collections.multihome.linux.plugins.module_utils._core.dns.service import Publication
from ansible_collections.multihome.linux.plugins.module_utils._core.dns.transport import Source
from ansible_collections.multihome.linux.plugins.module_utils._core.dns.updates import ZoneServers
from ansible_collections.multihome.linux.plugins.module_utils._core.dns.written import OWNED
from ansible_collections.multihome.linux.plugins.module_utils._core.dns.zone import Zone
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.multihome.linux.plugins.module_utils._core.host.files import Files
from ansible_collections.multihome.linux.plugins.module_utils._core.learned.host_addresses import HostAddresses

DOMAIN = "www.svc.example.com"
A, B = "203.0.113.10", "198.51.100.20"
OPTIONS = {
    "zone": "svc.example.com",
    "servers": ["192.0.2.53"],
    "records": [{"domain": DOMAIN, "addresses": [{"address": A, "line": "a"}, {"address": B, "line": "b"}]}],
    "sources": [{"address": "192.168.168.1", "line": "a"}, {"address": "192.168.168.2", "line": "b"}],
}


def lines(*usable: str) -> dict[int, Lines]:
    """What a host knows of lines a and b."""
    return {4: Lines(frozenset("ab"), frozenset(usable), alarm=not usable)}


class PretendedZone(ZoneServers):
    """A zone with value-dependent prerequisites; notes each update, and the source it came from."""

    def __init__(self) -> None:
        self.values: dict[Key, tuple[str, ...]] = {}
        self.updates: list[list[Replacement]] = []
        self.sources: list[str] = []
        self.dead = False

    def of(self, _zone: Zone) -> ZoneServers:
        """Be the servers of every publisher."""
        return self

    def read(self, keys: Iterable[Key], texts: Iterable[str] = (), sources: Sequence[Source] = ()) -> Content:
        """Return the sets."""
        self.sources = [source.line for source in sources]
        if self.dead:
            raise ServerFault("192.0.2.53: no answer in time", answered=False)
        sets = {key: RecordSet.of(*key, self.values[key], 60) for key in keys if key in self.values}
        return Content(sets, {domain: self.values.get((domain, "TXT"), ()) for domain in texts})

    def replace(self, replacements: Sequence[Replacement], _sources: Sequence[Source] = ()) -> None:
        """Replace sets, if they are as they were read."""
        for each in replacements:
            if sorted(self.values.get((each.domain, each.type), ())) != sorted(each.values):
                raise Conflict("changed meanwhile")
        for each in replacements:
            self.values[each.domain, each.type] = each.new
        self.updates.append(list(replacements))

    @property
    def published(self) -> tuple[str, ...]:
        """The addresses of the domain."""
        return self.values.get((DOMAIN, "A"), ())


@pytest.fixture
def zone() -> PretendedZone:
    return PretendedZone()


def publisher(zone: PretendedZone, name: str = "", said: list[str] | None = None) -> Publisher:
    """A publisher of the domain."""
    texts = said if said is not None else []
    return Publisher({**OPTIONS, "publisher": name}, lambda _level, text: texts.append(text), make_servers=zone.of)


def test_a_line_that_is_down_is_withdrawn_and_restored_by_one_update_each(zone: PretendedZone) -> None:
    alone = publisher(zone)
    for usable, wanted in (("ab", (B, A)), ("b", (B,)), ("b", (B,)), ("", (B,)), ("ab", (B, A))):
        alone.step(lines(*usable), 0)
        assert zone.published == wanted
    # Nothing is sent for the second look at the same lines, nor when all lines are down.
    assert len(zone.updates) == 3


def test_updates_leave_by_usable_lines_first(zone: PretendedZone) -> None:
    alone = publisher(zone)
    alone.step(lines("b"), 0)
    assert zone.sources == ["b", "a"]
    alone.step(lines("a"), 0)
    assert zone.sources == ["a", "b"]


def test_a_foreign_address_is_named_and_replaced(zone: PretendedZone) -> None:
    said: list[str] = []
    zone.values[DOMAIN, "A"] = (B, "192.0.2.99")
    publisher(zone, said=said).step(lines("a", "b"), 0)
    assert zone.published == (B, A)
    assert said[0] == f"{DOMAIN}: A 192.0.2.99 of another owner is replaced"


@pytest.mark.parametrize(
    "noted", [{}, {OWNED: '{"svc.example.com": [["www.svc.example.com", "A", ["192.0.2.98"]]]}'}, {OWNED: "["}]
)
def test_an_address_of_the_last_run_or_of_an_interface_is_not_foreign(
    zone: PretendedZone, noted: dict[str, str], tmp_path: Path
) -> None:
    """The keeper has not seen them: the interface changed right after the run, or while no keeper ran."""
    said: list[str] = []
    files = Files(str(tmp_path))
    for path, text in noted.items():
        files.save(path, text, 0o600)
    addresses = HostAddresses(directory=str(tmp_path))
    addresses.remember({"ppp0": {"addresses": ["192.0.2.97/32"]}}, ["ppp0"])
    zone.values[DOMAIN, "A"] = ("192.0.2.97", "192.0.2.98", "192.0.2.99")
    records = [{"domain": DOMAIN, "addresses": ["auto:ppp0:ipv4"]}]
    log = functools.partial(_said, said)
    late = Publisher({**OPTIONS, "records": records}, log, files, zone.of, assigned=addresses)
    late.step({}, 0, {"ppp0": {"addresses": ["192.0.2.1/32"]}})
    foreign = "192.0.2.99" if "www" in noted.get(OWNED, "") else "192.0.2.98, 192.0.2.99"
    assert said[0] == f"{DOMAIN}: A {foreign} of another owner is replaced"


def _said(texts: list[str], _level: str, text: str) -> None:
    texts.append(text)


LINE_NAME = "line-2.svc.example.com"
C, D, E = "198.51.100.77", "198.51.100.78", "192.0.2.200"


def assigning(zone: PretendedZone, said: list[str], *entries: object, **more: object) -> Publisher:
    """A publisher of the domain with other entries for line b."""
    records = [{"domain": DOMAIN, "addresses": [{"address": A, "line": "a"}, *entries]}]
    options = {**OPTIONS, "records": records, **more}
    return Publisher(options, lambda _level, text: said.append(text), make_servers=zone.of)


def having(*addresses: str) -> dict[str, dict[str, list[str]]]:
    """What the interfaces have."""
    return {"ppp0": {"addresses": [f"{each}/32" for each in addresses], "gateways": []}}


def test_the_address_of_an_interface_is_followed(zone: PretendedZone) -> None:
    said: list[str] = []
    source = {"address": "auto:ppp0:ipv4", "line": "b"}
    entries = [{"address": "auto:ppp0:ipv4", "line": "b"}, {"address": "auto:ppp0:ipv6", "line": "b"}]
    alone = assigning(zone, said, *entries, sources=[source, {"address": "192.168.168.1", "line": "a"}])
    # Before it has an address the domain has the other line, and no AAAA set.
    alone.step(lines("a", "b"), 0, {})
    assert (zone.published, zone.sources) == ((A,), ["a"])
    for address in (C, D):
        alone.step(lines("a", "b"), 0, having(address))
        assert zone.published == tuple(sorted((A, address)))
    assert zone.sources == ["b", "a"]
    # Down, and without an address.
    alone.step(lines("a"), 0, having(D))
    assert zone.published == (A,)
    alone.step(lines("b"), 0, having())
    assert zone.published == (A,)
    assert (DOMAIN, "AAAA") not in zone.values
    assert not any("another owner" in text for text in said)


def test_a_set_stays_while_nobody_knows_its_addresses(zone: PretendedZone) -> None:
    zone.values[DOMAIN, "A"] = (C,)
    options = {**OPTIONS, "records": [{"domain": DOMAIN, "addresses": ["auto:ppp0:ipv4"]}]}
    alone = Publisher(options, lambda _level, _text: None, make_servers=zone.of)
    alone.step({}, 0, having())
    assert (zone.published, zone.updates) == ((C,), [])
    alone.step({}, 0, having(D))
    assert zone.published == (D,)


def test_a_name_that_another_host_publishes_is_followed(zone: PretendedZone) -> None:
    said: list[str] = []
    server = assigning(zone, said, {"address": LINE_NAME, "line": "b", "family": "ipv4"})
    firewall = Publisher(
        {**OPTIONS, "records": [{"domain": LINE_NAME, "addresses": ["auto:ppp0:ipv4", "auto:ppp0:ipv6"]}]},
        lambda _level, _text: None,
        make_servers=zone.of,
    )
    server.step(lines("a", "b"), 0)
    assert zone.published == (A,)
    for address in (C, D):
        firewall.step({}, 0, having(address, "2001:db8:b::77"))
        server.step(lines("a", "b"), 0)
        assert zone.published == tuple(sorted((A, address)))
    # The server has no IPv6 address on that line.
    assert (DOMAIN, "AAAA") not in zone.values
    # A new keeper does not know the earlier address: it is nobody else's.
    firewall.step({}, 0, having(E))
    again = assigning(zone, said, {"address": LINE_NAME, "line": "b"})
    again.step(lines("a", "b"), 0)
    assert zone.published == tuple(sorted((A, E), key=lambda each: each.split(".")[0]))
    assert not any("another owner" in text for text in said)
    assert again.pause < READ_EVERY


def test_a_changed_address_is_published_at_once(zone: PretendedZone) -> None:
    options = {**OPTIONS, "records": [{"domain": DOMAIN, "addresses": ["auto:ppp0:ipv4"]}]}
    publication = Publication(
        options,
        dict,
        lambda _level, _text: None,
        lambda given, log: Publisher(given, log, make_servers=zone.of),
        lambda: 5.0,
    )
    for address in (C, D):
        publication.learn(having(address))
        publication.look()
        assert zone.published == (address,)
    # Control: nothing is sent for another interface, nor for the same address again.
    publication.learn({**having(D), "eth9": {"addresses": ["192.0.2.1/24"]}})
    publication.look()
    assert len(zone.updates) == 2


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("line-2.example.org", "is not in the zone"),
        (DOMAIN, "is the domain itself"),
        ("203.0.113.300", "not an IP address"),
        ({"address": A, "family": "ipv4"}, "family is only for a name"),
        ("auto:ppp0:ipv5", "auto:ppp0:ipv5"),
    ],
)
def test_what_is_neither_an_address_nor_a_name_of_the_zone_is_refused(entry: object, reason: str) -> None:
    options = {**OPTIONS, "records": [{"domain": DOMAIN, "addresses": [entry]}]}
    with pytest.raises(InvalidInput, match=reason):
        Publisher(options, lambda _level, _text: None)


def test_two_hosts_with_opposite_views_do_not_flap(zone: PretendedZone) -> None:
    one, two = publisher(zone, "web1"), publisher(zone, "web2")
    seen = set()
    for now in range(0, 600, int(READ_EVERY)):
        one.step(lines("a"), now)
        two.step(lines("b"), now)
        seen.add(zone.published)
    assert seen == {(A,)}
    # The lease alone is renewed.
    assert all(each.type == "TXT" for update in zone.updates[1:] for each in update)
    assert 10 < len(zone.updates) < 25


def test_control_without_a_lease_they_do(zone: PretendedZone) -> None:
    one, two = publisher(zone), publisher(zone)
    for now in range(0, 100, 10):
        one.step(lines("a"), now)
        two.step(lines("b"), now)
    assert len(zone.updates) == 20


@pytest.mark.parametrize("died", range(0, 60, 7))
def test_a_dead_publisher_is_replaced_within_90_seconds(zone: PretendedZone, died: int) -> None:
    one, two, three = (publisher(zone, f"web{number}") for number in (1, 2, 3))
    replaced = None
    for now in range(400):
        if now <= died and now % READ_EVERY == 0:
            one.step(lines("a"), now)
        # The others look at other times, and their clocks say something else.
        if now % READ_EVERY == 3:
            two.step(lines("b"), now + 100_000)
        if now % READ_EVERY == 6:
            three.step(lines("a", "b"), now - 70)
        if replaced is None and zone.published not in ((), (A,)):
            replaced = now
    assert replaced is not None
    assert replaced - died <= 90
    holder = zone.values[lease_domain(DOMAIN), "TXT"][0].split()[0]
    # After that the new one stays.
    assert zone.published == {"publisher=web2": (B,), "publisher=web3": (B, A)}[holder]
    texts = [text for update in zone.updates for each in update if each.type == "TXT" for text in each.new]
    assert len({text.split()[0] for text in texts}) == 2


def test_a_publisher_without_any_line_leaves_the_lease_to_another(zone: PretendedZone) -> None:
    one, two = publisher(zone, "web1"), publisher(zone, "web2")
    one.step(lines("a", "b"), 0)
    for now in range(0, 120, int(READ_EVERY)):
        one.step(lines(), now)
        two.step(lines("b"), now)
    assert zone.published == (B,)
    assert zone.values[lease_domain(DOMAIN), "TXT"][0].startswith("publisher=web2 ")


def test_a_publisher_that_starts_again_goes_on_at_once(zone: PretendedZone) -> None:
    publisher(zone, "web1").step(lines("a", "b"), 0)
    publisher(zone, "web1").step(lines("b"), 1)
    assert zone.published == (B,)


def test_of_two_that_take_over_at_once_the_server_accepts_one(zone: PretendedZone) -> None:
    stale = PretendedZone()
    publisher(zone, "web1").step(lines("a"), 0)
    late = Publisher({**OPTIONS, "publisher": "web2"}, lambda *_said: None, make_servers=stale.of)
    stale.replace = zone.replace  # type: ignore[method-assign]  # it reads what was there before
    with pytest.raises(Conflict):
        late.step(lines("b"), 0)
    assert zone.published == (A,)


def test_the_lease_of_a_wildcard_has_a_name_of_its_own() -> None:
    assert lease_domain("*.example.com") == "_multihome._any.example.com"
    assert lease_domain("example.com") == "_multihome.example.com"
    assert Lease("web1").text() != Lease("web1").text()


def test_a_zone_that_cannot_be_published_is_tried_again_less_and_less_often(zone: PretendedZone) -> None:
    said: list[str] = []
    now, tries = 0.0, 0
    known = lines("a", "b")
    looking = Publication(
        OPTIONS,
        lambda: known,
        lambda _level, text: said.append(text),
        lambda options, log: Publisher(options, log, make_servers=zone.of),
        lambda: now,
    )
    zone.dead = True
    while now < 120:
        zone.sources = []
        looking.look()
        tries += bool(zone.sources)
        now += 0.25
    assert 6 <= tries <= 10
    assert looking.report()["fault"] == "192.0.2.53: no answer in time"
    zone.dead = False
    # A change of the lines is tried at once.
    known = lines("b")
    looking.look()
    assert zone.published == (B,)
    assert looking.report() == {"zone": "svc.example.com", "publishes": [DOMAIN], "fault": ""}
    assert [text for text in said if "not published" in text or "published again" in text] == [
        "zone svc.example.com is not published: 192.0.2.53: no answer in time",
        "zone svc.example.com: published again",
    ]
