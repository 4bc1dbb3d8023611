# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record sets without a server: parsing, the lines in service, and the ways to a server."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.dns import keys, names
from ansible_collections.multihome.linux.plugins.module_utils._core.dns.client import Client, Replacement, ServerFault
from ansible_collections.multihome.linux.plugins.module_utils._core.dns.effective import DROP, Lines, effective
from ansible_collections.multihome.linux.plugins.module_utils._core.dns.model import Address, RecordSet, parse_record
from ansible_collections.multihome.linux.plugins.module_utils._core.dns.transport import Source
from ansible_collections.multihome.linux.plugins.module_utils._core.dns.updates import ZoneServers, replacements
from ansible_collections.multihome.linux.plugins.module_utils._core.dns.zone import Zone, as_records, parse
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import InvalidInput
from hypothesis import given
from hypothesis import strategies as st

DOMAIN = "www.svc.example.com"
SECRET = "c2VjcmV0"
OPTIONS = {
    "zone": "SVC.example.com.",
    "servers": ["192.0.2.53"],
    "key_name": "Multihome-web1",
    "key_secret": SECRET,
    "records": [
        {
            "domain": "WWW.svc.example.com.",
            "addresses": [{"address": "203.0.113.10", "line": "a"}, {"address": "198.51.100.20", "line": "b"}],
        }
    ],
}


def record_set(kind: str = "A", **lines: str) -> RecordSet:
    """A set of addresses by the names of their lines."""
    return RecordSet.of(DOMAIN, kind, [Address(address, line) for line, address in lines.items()], 60)


V4 = record_set(a="203.0.113.10", b="198.51.100.20")
V6 = record_set("AAAA", a="2001:db8:a::10", b="2001:db8:b::20")


def judged(*usable: str, alarm: bool = False) -> Lines:
    """Lines a and b, of which these are usable."""
    return Lines(frozenset("ab"), frozenset(usable), alarm)


def test_names_are_compared_without_case_and_last_dot() -> None:
    zone, entries = parse(OPTIONS)
    assert zone.name == "svc.example.com"
    assert [entry.object.domain for entry in entries] == [DOMAIN]
    assert zone.key == keys.Key("multihome-web1", "hmac-sha256", SECRET)


@pytest.mark.parametrize("name", ["", "a..b", "-a.example", "a b", "x" * 64, "*.", "ä.example", "a." * 127 + "com"])
def test_what_is_not_a_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        names.domain_name(name)


def test_a_domain_is_in_its_zone_only_at_a_label() -> None:
    assert names.is_in("www.example.com", "example.com")
    assert names.is_in("example.com", "example.com")
    assert not names.is_in("wwwexample.com", "example.com")


def test_stored_options_are_parsed_to_the_same_without_the_secret() -> None:
    zone, entries = parse({**OPTIONS, "sources": [{"address": "192.168.168.1", "line": "a", "mark": "0x1"}]})
    stored = {**zone.as_settings(), "records": as_records([entry.object for entry in entries])}
    assert SECRET not in str(stored)
    assert SECRET not in repr(zone)
    again, same = parse(stored)
    assert again.as_settings() == zone.as_settings()
    assert [entry.object for entry in same] == [entry.object for entry in entries]
    assert [each.line for each in same[0].object.addresses] == ["b", "a"]


def test_a_key_survives_its_file() -> None:
    key = keys.Key("multihome-web1", "hmac-sha512", SECRET)
    assert keys.parse_file(key.file_text()) == key
    with pytest.raises(ValueError, match="tsig-keygen"):
        keys.parse_file(key.file_text()[:-4])


def test_all_faults_are_collected_and_none_shows_the_secret() -> None:
    options: dict[str, Any] = {
        "zone": "*.x",
        "servers": ["192.0.2.300"],
        "port": 0,
        "key_name": "two words",
        "key_algorithm": "md4",
        "key_secret": "no base64",
        "records": [
            {"domain": DOMAIN, "addresses": ["127.0.0.1"]},
            {"domain": DOMAIN, "addresses": ["192.0.2.1", "192.0.2.1"]},
            {"addresses": "192.0.2.1"},
        ],
        "empty_family": "perhaps",
        "publisher": "two words",
    }
    with pytest.raises(InvalidInput) as caught:
        parse(options)
    assert len(caught.value.faults) == 12
    assert "no base64" not in str(caught.value)


def test_one_entry_is_one_set_a_family() -> None:
    sets = parse_record({"domain": DOMAIN, "addresses": ["2001:db8::1", "192.0.2.2", "192.0.2.1"]})
    assert [(each.type, each.values) for each in sets] == [
        ("A", ("192.0.2.1", "192.0.2.2")),
        ("AAAA", ("2001:db8::1",)),
    ]


def test_a_line_that_is_down_loses_its_address() -> None:
    assert effective([V4], {4: judged("b")}, {}) == {V4.key: record_set(b="198.51.100.20")}
    # Nothing is known of a line, or of all: published.
    assert effective([V4], {4: Lines(frozenset("b"), frozenset("b"))}, {}) == {V4.key: V4}
    assert effective([V4], {}, {}) == {V4.key: V4}


def test_when_all_lines_are_down_the_set_stays_as_it_is_published() -> None:
    published = record_set(b="198.51.100.20")
    assert effective([V4], {4: judged(alarm=True)}, {V4.key: published}) == {V4.key: published}
    assert effective([V4], {4: judged("a", alarm=True)}, {V4.key: published}) == {V4.key: published}
    # Nothing of it is published: then all of it is better than nothing.
    assert effective([V4], {4: judged(alarm=True)}, {V4.key: record_set(x="192.0.2.9")}) == {V4.key: V4}


def test_a_family_without_a_line_is_kept_or_dropped() -> None:
    lines = {4: judged("a"), 6: judged(alarm=True)}
    current = {V4.key: V4, V6.key: V6}
    alone = record_set(a="203.0.113.10")
    assert effective([V4, V6], lines, current) == {V4.key: alone, V6.key: V6}
    assert effective([V4, V6], lines, current, DROP) == {V4.key: alone, V6.key: None}
    # Never both.
    both = {4: judged(alarm=True), 6: judged(alarm=True)}
    assert effective([V4, V6], both, current, DROP) == current


@given(
    st.sets(st.sampled_from("ab")),
    st.sets(st.sampled_from("ab")),
    st.booleans(),
    st.sampled_from(["keep", "drop"]),
    st.booleans(),
)
def test_some_address_of_a_domain_is_always_published(
    four: set[str], six: set[str], alarm: bool, empty_family: str, published: bool
) -> None:
    lines = {4: judged(*four, alarm=alarm and not four), 6: judged(*six, alarm=alarm and not six)}
    current = {V4.key: V4, V6.key: V6} if published else {}
    found = effective([V4, V6], lines, current, empty_family)
    assert any(found.values())
    assert all(each is None or each.addresses for each in found.values())


def test_only_sets_that_differ_are_replaced() -> None:
    old, new = record_set(a="203.0.113.10"), record_set(b="198.51.100.20")
    assert replacements({V4.key: V4}, {V4.key: V4}) == []
    assert replacements({}, {V4.key: None}) == []
    assert replacements({old.key: old}, {old.key: new}) == [
        Replacement(DOMAIN, "A", ("203.0.113.10",), ("198.51.100.20",), 60)
    ]
    assert replacements({old.key: old}, {old.key: None}) == [Replacement(DOMAIN, "A", ("203.0.113.10",), ())]
    assert len(replacements({V4.key: V4}, {V4.key: RecordSet(*V4.key, V4.addresses, 30)})) == 1


class Ways:
    """Stands for Client: notes each way that is tried; only some answer."""

    def __init__(self, *answering: tuple[str, str]) -> None:
        self.answering, self.tried = set(answering), list[tuple[str, str]]()

    def __call__(self, _zone: str, server: str, _key: object, source: Source, _port: int, _timeout: float) -> Client:
        """Be the client of one way."""
        self.tried.append((server, source.line))
        if (server, source.line) not in self.answering:
            raise ServerFault(f"{server} by {source.line}: no answer in time", answered=False)
        return self  # type: ignore[return-value]  # it has the one method that is called

    def replace(self, _replacements: object) -> None:
        """Take everything."""


SOURCES = (Source("192.168.168.1", "a"), Source("192.168.168.2", "b"), Source("fd00::1", "c"))


def test_each_server_is_tried_from_each_source_of_its_family() -> None:
    ways = Ways(("192.0.2.54", "b"))
    servers = ZoneServers(Zone("x", ("192.0.2.53", "192.0.2.54"), sources=SOURCES[:2]), make=ways)
    servers.replace([])
    assert ways.tried == [("192.0.2.53", "a"), ("192.0.2.54", "a"), ("192.0.2.53", "b"), ("192.0.2.54", "b")]
    ways.tried.clear()
    # The usable line in front, and there the server that answered last.
    servers.replace([], [SOURCES[1], SOURCES[0]])
    assert ways.tried == [("192.0.2.54", "b")]


def test_a_server_of_another_family_is_asked_as_the_routes_say() -> None:
    ways = Ways(("2001:db8::53", ""))
    ZoneServers(Zone("x", ("2001:db8::53",), sources=SOURCES[:2]), make=ways).replace([])
    assert ways.tried == [("2001:db8::53", "")]


def test_when_no_way_answers_all_are_named() -> None:
    servers = ZoneServers(Zone("x", ("192.0.2.53",), sources=SOURCES[:2]), make=Ways())
    with pytest.raises(ServerFault) as caught:
        servers.replace([])
    assert str(caught.value).count("no answer in time") == 2
