# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is packed and unpacked without pyroute2's objects is what pyroute2 itself makes of it, oldest and newest."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink import pyroute2_loader
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.codec import HEADER, Codec
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import Message
from ansible_collections.multihome.linux.plugins.module_utils._core.routing import rtnetlink_encoding
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Alias, Route, Rule
from hypothesis import given
from hypothesis import strategies as st

from ..routing import hosts
from ..routing.fake_kernel import INTERFACES
from ..routing.test_model import whole_rules
from ..routing.values import OURS

OLDEST = Path(__file__).resolve().parents[3] / ".venv" / "oldest"
VERSIONS = ("newest", "oldest")
Packed = tuple[bytes, tuple[dict[str, int], dict[str, Any]]]


def codecs(version: str) -> dict[str, Codec]:
    """The codecs over one version of pyroute2, whichever this process may have loaded already."""
    loaded = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "pyroute2"}
    try:
        spec = PathFinder.find_spec("pyroute2", [str(OLDEST)] if version == "oldest" else None)
        assert spec is not None, f"no {version} pyroute2; run make setup"
        return {kind: Codec(kind, known) for kind, known in pyroute2_loader.load(spec).items()}
    finally:
        sys.modules.update(loaded)


CODECS = {version: codecs(version) for version in VERSIONS}


def message_of(kind: str, entry: Any, table: int = 1001) -> Message:
    """The message that adds what an entry says."""
    if kind == "address":
        return rtnetlink_encoding.encode_alias(Alias.parse(entry), 2, OURS)
    if kind == "route":
        return rtnetlink_encoding.encode_route(Route.parse(entry, table), INTERFACES, OURS)
    return rtnetlink_encoding.encode_rule(Rule.parse(entry), OURS)


MESSAGES = {
    "address": st.builds(message_of, st.just("address"), hosts.aliases),
    "route": st.builds(message_of, st.just("route"), hosts.routes, hosts.tables),
    "rule": st.builds(message_of, st.just("rule"), st.one_of(hosts.rules, whole_rules)),
}
RULE = message_of("rule", {"priority": 5, "source": "10.0.0.1", "in_interface": "eth0", "table": 7})


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """Give each version."""
    return str(request.param)


@pytest.fixture
def _unaided(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the test fail when a message is left to pyroute2."""

    def left(*_arguments: Any) -> Any:
        raise AssertionError("left to pyroute2")

    monkeypatch.setattr(Codec, "_encode_by_pyroute2", left)
    monkeypatch.setattr(Codec, "_decode_by_pyroute2", left)


def both_ways(message: Message, encode: Callable[..., bytes], decode: Callable[..., Any]) -> Packed:
    """The bytes of a message, and what is read from them."""
    packed = encode(message.header, message.attributes)
    return packed, decode(HEADER.pack(HEADER.size + len(packed), 0, 0, 0, 0) + packed)


@pytest.mark.parametrize("kind", sorted(MESSAGES))
@given(data=st.data())
def test_what_pyroute2_makes_of_it(kind: str, data: st.DataObject) -> None:
    message = data.draw(MESSAGES[kind])
    for codec in (CODECS[version][kind] for version in VERSIONS):
        packed, read = both_ways(message, codec.encode, codec.decode)
        assert (packed, read) == both_ways(message, codec._encode_by_pyroute2, codec._decode_by_pyroute2)
        assert read[1].keys() == message.attributes.keys()


@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        ("address", {"address": "fd00::1/64", "interface": "eth0", "preferred_lifetime": 0}),
        ("address", {"address": "10.0.0.1/24", "interface": "eth0", "label": "eth0:1"}),
        ("route", {"destination": "10.0.0.0/8", "gateway": "10.0.0.9", "interface": "eth0", "metric": 5}),
        ("route", {"destination": "default", "gateway": "fd00::9", "source": "fd00::1"}),
        ("rule", {"priority": 5, "source": "fd00::1", "mark": "0x1/0xff", "out_interface": "eth1", "table": 1001}),
        ("rule", {"priority": 6, "family": "ipv4", "table": "main", "suppress_prefix_length": 0}),
    ],
    ids=repr,
)
@pytest.mark.usefixtures("_unaided")
def test_what_most_messages_hold_is_not_left_to_pyroute2(version: str, kind: str, entry: dict[str, Any]) -> None:
    message, codec = message_of(kind, entry), CODECS[version][kind]
    assert both_ways(message, codec.encode, codec.decode)[1][1] == message.attributes


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(struct.pack("=HHI", 8, 99, 5), id="an attribute that no table knows"),
        pytest.param(struct.pack("=HHH2x", 6, 6, 5), id="a number of another length"),
        pytest.param(struct.pack("=HHHH", 8, 23, 80, 90), id="a range of ports"),
        pytest.param(struct.pack("=HH4s", 8, 3, b"\xff\xfe\xfd\0"), id="a name that is not UTF-8"),
        pytest.param(struct.pack("=HHI", 8, 0x8000 | 15, 5), id="a nested one"),
        pytest.param(struct.pack("=HH16x", 20, 2), id="an IPv6 address in an IPv4 rule"),
        pytest.param(struct.pack("=HHI", 12, 15, 5), id="one that is cut off"),
        pytest.param(struct.pack("=HHI", 0, 15, 5), id="one that never ends"),
    ],
)
def test_what_is_not_plain_is_read_as_pyroute2_reads_it(version: str, content: bytes) -> None:
    codec = CODECS[version]["rule"]
    body = codec.encode(RULE.header, RULE.attributes) + content
    data = HEADER.pack(HEADER.size + len(body), 32, 0, 1, 0) + body
    header, attributes = codec.decode(data)
    assert (header, str(attributes)) == (codec._decode_by_pyroute2(data)[0], str(codec._decode_by_pyroute2(data)[1]))
    assert {**attributes, **RULE.attributes}.keys() == attributes.keys()


def test_labels_of_mpls_are_no_addresses(version: str) -> None:
    codec = CODECS[version]["route"]
    attributes = struct.pack("=HHI", 8, 1, 0x00010140)
    body = struct.pack("=8BI", 28, 20, 0, 0, 254, OURS, 0, 1, 0) + attributes
    _header, read = codec.decode(HEADER.pack(HEADER.size + len(body), 24, 0, 1, 0) + body)
    assert isinstance(read["RTA_DST"], list)


@pytest.mark.parametrize(
    "attributes",
    [{"FRA_TABLE": -1}, {"FRA_TABLE": 1 << 32}, {"FRA_PROTOCOL": 256}, {"FRA_SRC": "10.0.0"}, {"FRA_SRC": 5}],
    ids=repr,
)
def test_what_cannot_be_packed_is_no_message(version: str, attributes: dict[str, Any]) -> None:
    with pytest.raises((struct.error, OSError, AttributeError)):
        CODECS[version]["rule"].encode(RULE.header, attributes)


def test_the_owner_of_an_address_is_packed_where_pyroute2_does_not_know_it() -> None:
    message = message_of("address", {"address": "10.0.0.1/24", "interface": "eth0"})
    packed = {version: CODECS[version]["address"].encode(message.header, message.attributes) for version in VERSIONS}
    assert packed["oldest"] == packed["newest"]
    assert struct.pack("=HHB3x", 5, 11, OURS) in packed["oldest"]
