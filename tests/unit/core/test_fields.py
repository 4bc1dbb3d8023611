# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each kind of value: one canonical form for all that means the same, and a reason for what means nothing."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core import fields
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import InvalidInput
from hypothesis import given
from hypothesis import strategies as st

_OF_A_TABLE = "names a routing table, and the table of the line gets the name of the line; choose another"
PARSERS: dict[str, fields.Parser] = {
    "text": fields.text,
    "integer": fields.integer(0, 100),
    "boolean": fields.boolean,
    "choice": fields.choice("a", "b"),
    "interface": fields.interface,
    "address": fields.address,
    "host": fields.host,
    "host_address": fields.host_address,
    "prefix": fields.prefix,
    "destination": fields.destination,
    "port_range": fields.port_range,
    "mark": fields.mark,
    "ip_protocol": fields.ip_protocol,
    "rule_port_range": fields.rule_port_range,
    "filtered_interface": fields.filtered_interface,
    "unicast": fields.unicast,
    "mark_number": fields.mark_number,
    "line_name": fields.line_name,
    "label": fields.label(10, '"'),
}


@pytest.mark.parametrize(
    ("kind", "written", "canonical"),
    [
        ("integer", "100", 100),
        ("boolean", True, True),
        ("boolean", "Yes", True),
        ("boolean", 1, True),
        ("boolean", False, False),
        ("boolean", "off", False),
        ("interface", "eth0.100", "eth0.100"),
        ("interface", 100, "100"),
        ("interface", "wan@office", "wan@office"),
        ("interface", "x" * 15, "x" * 15),
        ("address", "FD00::0001", "fd00::1"),
        ("host", "169.254.1.1", "169.254.1.1"),
        ("host_address", "192.168.168.1/24", "192.168.168.1/24"),
        ("host_address", "192.168.168.1", "192.168.168.1/32"),
        ("host_address", "FD00:168:0::1/064", "fd00:168::1/64"),
        ("host_address", "fd00::/64", "fd00::/64"),
        ("host_address", "10.0.0.0/31", "10.0.0.0/31"),
        ("prefix", "10.0.0.1", "10.0.0.1/32"),
        ("prefix", "10.0.0.0/255.255.255.0", "10.0.0.0/24"),
        ("prefix", "::/0", "::/0"),
        ("destination", "default", "default"),
        ("port_range", 80, (80, 80)),
        ("port_range", "80", (80, 80)),
        ("port_range", "5000-6000", (5000, 6000)),
        ("port_range", "80-80", (80, 80)),
        ("mark", 1, (1, 0xFFFFFFFF)),
        ("mark", "0x1", (1, 0xFFFFFFFF)),
        ("mark", "0X1/0xFF", (1, 0xFF)),
        ("mark", "0/0xff", (0, 0xFF)),
        ("mark", "0xffffffff", (0xFFFFFFFF, 0xFFFFFFFF)),
        ("ip_protocol", "TCP", 6),
        ("ip_protocol", 6, 6),
        ("ip_protocol", "255", 255),
        ("rule_port_range", "1-65534", (1, 65534)),
        ("filtered_interface", "wan@office.1~-_", "wan@office.1~-_"),
        ("filtered_interface", 123, "123"),
        ("unicast", "FD00::1", "fd00::1"),
        ("unicast", "169.254.1.1", "169.254.1.1"),
        ("mark_number", "0xFF", 255),
        ("mark_number", 4294967295, 4294967295),
        ("line_name", "a" * 64, "a" * 64),
        ("line_name", "main2", "main2"),
        ("line_name", "2nd", "2nd"),
        ("label", "é 1234567", "é 1234567"),
    ],
)
def test_one_form_for_all_that_means_the_same(kind: str, written: Any, canonical: Any) -> None:
    assert PARSERS[kind](written) == canonical


@pytest.mark.parametrize(
    ("kind", "written", "reason"),
    [
        ("text", "", "not a printable, non-empty string"),
        ("text", "a\nb", "not a printable, non-empty string"),
        ("text", 5, "not a printable, non-empty string"),
        ("integer", "5.0", "not a whole number"),
        ("integer", 5.0, "not a whole number"),
        ("integer", True, "not a whole number"),
        ("integer", "1_0", "not a whole number"),
        ("integer", " 1", "not a whole number"),
        ("integer", "+1", "not a whole number"),
        ("integer", "\N{ARABIC-INDIC DIGIT ONE}", "not a whole number"),
        ("integer", 101, "not within 0 to 100"),
        ("integer", -1, "not within 0 to 100"),
        ("boolean", "perhaps", "neither true nor false"),
        ("boolean", 2, "neither true nor false"),
        ("boolean", [True], "neither true nor false"),
        ("choice", "c", "not one of a, b"),
        ("choice", ["a"], "not one of a, b"),
        ("interface", "x" * 16, "an interface name has at most 15 bytes"),
        ("interface", "ä" * 8, "an interface name has at most 15 bytes"),
        ("interface", "eth0/1", "not an interface name"),
        ("interface", "eth0:1", "not an interface name"),
        ("interface", "eth 0", "not an interface name"),
        ("interface", "..", "not an interface name"),
        ("interface", "eth%0", "not an interface name"),
        ("interface", "br\x01", "not a printable, non-empty string"),
        ("interface", 10**400, "an interface name has at most 15 bytes"),
        *(
            (
                "filtered_interface",
                f"eth{character}",
                "not every packet filter can match an interface of this name; use letters, digits and ._@~- in it",
            )
            for character in '"*\\=[]?+é'
        ),
        *(
            (
                "filtered_interface",
                name,
                "not an interface: Linux calls the parameters of all interfaces, or of new ones, by this name",
            )
            for name in ("all", "default")
        ),
        ("filtered_interface", "é" * 8, "an interface name has at most 15 bytes"),
        ("integer", 10**400, "not within 0 to 100"),
        ("integer", "9" * 5000, "not a whole number"),
        ("rule_port_range", 65535, "Linux takes only ports 1 to 65534 in a policy rule"),
        ("rule_port_range", 0, "port 0 is not within 1 to 65535"),
        ("unicast", "127.0.0.1", "a loopback address"),
        ("unicast", "fe80::1", "a link-local address"),
        ("unicast", "::ffff:192.0.2.1", "an IPv4 address written as IPv6"),
        ("mark_number", "1_0", "not a whole number, decimal or 0x..."),
        ("mark_number", "0b1", "not a whole number, decimal or 0x..."),
        ("mark_number", 0, "not within 1 to 0xffffffff; a mark of 0 is no mark"),
        ("mark_number", 1 << 40, "not within 1 to 0xffffffff; a mark of 0 is no mark"),
        ("line_name", "a" * 65, "a line's name has at most 64 characters"),
        *(("line_name", name, _OF_A_TABLE) for name in ("main", "254", "0x10", "all")),
        ("line_name", "A", "not a name of the characters a-z, 0-9, _ and -"),
        ("label", " a", "begins or ends with white space"),
        ("label", 'a"b', 'holds a character that it cannot: "'),
        ("label", "é" * 6, "longer than 10 bytes"),
        ("address", "192.168.168.300", "not an IP address"),
        ("address", "10.0.0.1/24", "an address with a prefix length; leave the length out"),
        ("address", "010.0.0.1", "not an IP address"),
        ("address", 10, "not an IP address"),
        ("address", "fe80::1%eth0", "an address with a zone; name the interface instead"),
        ("host", "0.0.0.0", "not the address of a host"),
        ("host", "::", "not the address of a host"),
        ("host", "224.0.0.1", "not the address of a host"),
        ("host", "255.255.255.255", "not the address of a host"),
        ("host_address", "255.255.255.255/32", "not the address of a host"),
        ("host_address", "ff02::1/64", "not the address of a host"),
        ("host_address", "10.0.0.0/24", "the address of the network 10.0.0.0/24, not of a host"),
        ("host_address", "10.0.0.255/24", "the broadcast address of 10.0.0.0/24, not of a host"),
        ("host_address", "10.0.0.1/33", "prefix length is not within 1 to 32"),
        ("host_address", "10.0.0.1/0", "prefix length is not within 1 to 32"),
        ("host_address", "10.0.0.1/", "prefix length is not within 1 to 32"),
        ("host_address", "10.0.0.1/\N{ARABIC-INDIC DIGIT TWO}", "prefix length is not within 1 to 32"),
        ("host_address", "10.0.0.1/255.255.255.0", "prefix length is not within 1 to 32"),
        ("host_address", "fd00::1/129", "prefix length is not within 1 to 128"),
        ("prefix", "10.0.0.1/24", "has host bits set; the prefix is 10.0.0.0/24, the host 10.0.0.1"),
        ("prefix", "10.0.0.0/33", "not an IP prefix"),
        ("prefix", "fe80::%eth0/64", "a prefix with a zone; name the interface instead"),
        ("prefix", "default", "not an IP prefix"),
        ("destination", "Default", "not an IP prefix"),
        ("port_range", 0, "port 0 is not within 1 to 65535"),
        ("port_range", 65536, "port 65536 is not within 1 to 65535"),
        ("port_range", "6000-5000", "the range runs backwards"),
        ("port_range", "80,443", "not a port or a range FIRST-LAST"),
        ("port_range", "80-", "not a port or a range FIRST-LAST"),
        ("port_range", True, "not a port or a range FIRST-LAST"),
        ("mark", "one", "not a mark MARK or MARK/MASK"),
        ("mark", "010", "not a mark MARK or MARK/MASK"),
        ("mark", "1_0", "not a mark MARK or MARK/MASK"),
        ("mark", "1/", "not a mark MARK or MARK/MASK"),
        ("mark", "-1", "not a mark MARK or MARK/MASK"),
        ("mark", 1.5, "not a mark"),
        ("mark", "1/0", "mark and mask have 32 bits, and the mask is not zero"),
        ("mark", "0x100000000", "mark and mask have 32 bits, and the mask is not zero"),
        ("mark", "0x100/0xff", "mark 0x100 has bits outside its mask 0xff, so it never matches"),
        (
            "ip_protocol",
            "tpc",
            "not an IP protocol: a number from 1 to 255 or one of " + ", ".join(fields.IP_PROTOCOLS),
        ),
    ],
)
def test_a_reason_for_what_means_nothing(kind: str, written: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(reason)}$"):
        PARSERS[kind](written)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(("10.0.0.1/24", "80", "0x1")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)


@pytest.mark.parametrize("kind", PARSERS)
@given(anything)
def test_nothing_but_a_reason_comes_of_anything(kind: str, written: Any) -> None:
    with contextlib.suppress(ValueError):
        PARSERS[kind](written)


@given(st.ip_addresses(), st.integers(1, 128))
def test_a_canonical_form_is_its_own(address: Any, length: int) -> None:
    network = f"{address}/{min(length, address.max_prefixlen)}"
    for parse in (fields.host_address, fields.prefix, fields.address):
        try:
            once = parse(network)
        except ValueError:
            continue
        assert parse(once) == once
        assert fields.family_of(once) == address.version


@given(st.integers(0, 0xFFFFFFFF), st.integers(1, 0xFFFFFFFF))
def test_a_mark_is_read_as_it_is_written(mark: int, mask: int) -> None:
    value = (mark & mask, mask)
    assert fields.mark(fields.mark_text(value)) == value


@given(st.integers(1, 255))
def test_an_ip_protocol_is_read_as_it_is_written(number: int) -> None:
    assert fields.ip_protocol(fields.ip_protocol_text(number)) == number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("eth0", '"eth0"'),
        (0, '"0"'),
        (True, '"true"'),
        (None, '"null"'),
        ({"a": [1]}, '{"a": [1]}'),
        (("a",), '["a"]'),
        ("a\nb\x1b[31m", r'"a\nb\x1b[31m"'),
        ("\u202egnp.exe", r'"\u202egnp.exe"'),
        ("\udcff", r'"\udcff"'),
        ("x" * 60, '"' + "x" * 60 + '"'),
        ("x" * 100_000, '"' + "x" * 60 + '…" (100000 characters)'),
        (["x" * 100], '["' + "x" * 58 + "… (104 characters)"),
        (object(), '"a value of type object"'),
    ],
)
def test_a_value_is_shown_on_one_short_line(value: Any, text: str) -> None:
    assert fields.shown(value) == text


def test_a_number_too_long_to_write_down_is_shown_by_its_type() -> None:
    assert fields.shown(10**5000) == '"a value of type int"'
    for kind in ("interface", "integer", "port_range", "mark", "mark_number"):
        with pytest.raises(ValueError, match=r"^(not |an interface name|mark and mask)"):
            PARSERS[kind](10**5000)


@given(anything | st.text(st.characters(), max_size=200))
def test_what_is_shown_prints_and_is_short(value: Any) -> None:
    for text in (fields.shown(value), fields.short(value)):
        assert text.isprintable()
        # Each of the 60 characters may need an escape of ten.
        assert len(text) < 60 * 10 + 40


def test_a_list_of_many_names_is_cut() -> None:
    names = [f"veth{number}" for number in range(300)]
    assert fields.listed(names) == "veth0, veth1, veth2, veth3, veth4, veth5, veth6, veth7 and 292 more"
    assert fields.listed(names[:8]) == "veth0, veth1, veth2, veth3, veth4, veth5, veth6, veth7"
    assert fields.listed(iter(["a", "\u202e"])) == r"a, \u202e"
    assert fields.listed([]) == ""


def test_an_error_prints_on_its_lines() -> None:
    error = InvalidInput(["one \u202e", "two\r"])
    assert str(error) == "one \\u202e\ntwo\\r"
    assert error.faults == ("one \\u202e", "two\\r")


def test_an_owner_is_named_as_people_know_it() -> None:
    assert fields.owner_name(186) == "protocol 186 (bgp)"
    assert fields.owner_name(77) == "protocol 77"
