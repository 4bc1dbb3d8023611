# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of a line's health: what is read, what is refused, and that every fault is said at once with its place."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.multihome.linux.plugins.module_utils._core.health.model import Health, Line, parse_lines
from ansible_collections.multihome.linux.plugins.module_utils._core.health.targets import Target
from hypothesis import given
from hypothesis import strategies as st

EVERYTHING: dict[str, Any] = {
    "name": "unicom",
    "id": 1,
    "interface": "wan0",
    "addresses": ["203.0.113.10/24", "2001:db8:a::10/64"],
    "gateways": ["203.0.113.1", "fe80::1"],
    "mark": "0x1/0xff",
    "bind_interface": True,
    "drained": True,
    "flows": "abort",
    "health": {
        "targets": [
            "192.0.2.1",
            "2001:db8::1",
            {"dns": "192.0.2.53", "query": "example.net"},
            {"tcp": "198.51.100.9:443"},
            {"tcp": "[2001:db8::9]:25"},
            {"http": "https://status.example.net/", "status": 204},
            {"http": "http://192.0.2.7:8080/health?deep=1"},
        ],
        "quorum": 2,
        "interval": 1,
        "down_after": 3,
        "up_after": 20,
        "degraded": {"loss": 10, "rtt": 300},
    },
}


NOT_A_PORT = 'not HOST:PORT; an IPv6 address is written "[2001:db8::1]:443"'


def faults(**entry: Any) -> tuple[str, ...]:
    with pytest.raises(InvalidInput) as caught:
        parse_lines([{"name": "unicom", "id": 1, "addresses": ["203.0.113.10"], **entry}])
    return caught.value.faults


def test_everything_is_read_and_written_as_it_was() -> None:
    [line] = parse_lines([EVERYTHING])
    written = line.as_input()
    assert written["addresses"] == ["203.0.113.10", "2001:db8:a::10"]
    assert {**EVERYTHING, "addresses": written["addresses"]} == written
    assert parse_lines([written]) == [line]
    assert line.families == (4, 6)
    assert (line.source(4), line.source(6)) == ("203.0.113.10", "2001:db8:a::10")


def test_the_defaults_are_those_of_the_design() -> None:
    [line] = parse_lines([{"name": "unicom", "id": 1, "health": {"targets": []}}])
    assert line.health == Health()
    assert (line.health.quorum, line.health.interval, line.health.down_after, line.health.up_after) == (1, 0.5, 1.2, 10)
    assert (line.health.degraded.loss, line.health.degraded.rtt, line.flows) == (25, 500, "forget")
    assert line.as_input() == {"name": "unicom", "id": 1}


def test_every_fault_is_said_at_once_with_its_place() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_lines(
            [
                {
                    "name": "unicom",
                    "id": 0,
                    "flows": "drop",
                    "health": {
                        "targets": ["192.0.2.300", {"tcp": "192.0.2.1"}, {"http": "ftp://a/", "status": 1}, 7],
                        "interval": "soon",
                        "degraded": {"loss": 200},
                        "patience": 3,
                    },
                },
                {"id": 2},
            ]
        )
    assert caught.value.faults == (
        'lines[0] (unicom): id "0": not within 1 to 250',
        'lines[0] (unicom): flows "drop": not one of forget, keep, abort',
        'lines[0] (unicom): health: unknown field "patience"',
        'lines[0] (unicom): health: interval "soon": not a number',
        "lines[0] (unicom): health: targets[0] (192.0.2.300): not an IP address",
        f"lines[0] (unicom): health: targets[1] (192.0.2.1): {NOT_A_PORT}",
        "lines[0] (unicom): health: targets[2] (ftp://a/): not a URL that begins with http:// or https://",
        "lines[0] (unicom): health: targets[3]: neither an address nor a dictionary with dns, tcp or http",
        'lines[0] (unicom): health: degraded: loss "200": not within 1 to 100',
        "lines[1]: name is missing",
    )


@pytest.mark.parametrize("target", ["192.0.2.1", {"dns": "192.0.2.53"}])
def test_a_single_target_is_a_list_of_one(target: Any) -> None:
    assert Health.parse({"targets": target}) == Health.parse({"targets": [target]})


@pytest.mark.parametrize(
    ("health", "said"),
    [
        ({"targets": ["192.0.2.1"], "quorum": 2}, "quorum 2: only 1 of the targets can answer by IPv4"),
        (
            {"targets": ["192.0.2.1"], "down_after": 1.0},
            "down_after 1: with an interval of 0.5 it takes at least 1.2 s",
        ),
        ({"targets": ["192.0.2.1"], "interval": 2}, "with an interval of 2 it takes at least 4.8 s"),
        ({"targets": ["192.0.2.1", "192.0.2.1"]}, "targets[0] and targets[1]: 192.0.2.1 twice"),
        ({"targets": [f"192.0.2.{last}" for last in range(1, 18)]}, "targets: at most 16, not 17"),
        ({"targets": ["203.0.113.10"]}, "203.0.113.10 is an address of the line itself"),
        ({"targets": [{"tcp": "203.0.113.1:80"}]}, "203.0.113.1:80 is an address of the line itself"),
        ({"targets": [{"http": "https://me:secret@a.example/"}]}, "a URL with a user name or password"),
        ({"targets": [{"dns": "192.0.2.1", "tcp": "192.0.2.1:80"}]}, "needs exactly one of dns, tcp and http"),
        ({"targets": [{"dns": "192.0.2.1", "status": 200}]}, 'unknown field "status"; known are dns and query'),
        ({"targets": [{"tcp": "a..b:80"}]}, "not a host name"),
        ({"targets": [{"tcp": "192.0.2.1:70000"}]}, "not within 1 to 65535"),
        ({"targets": [{"http": "http://a/", "status": 99}]}, "status: not within 100 to 599"),
        ({"targets": 7}, "targets: not a list"),
        ([], "health: not a dictionary but list"),
    ],
)
def test_what_cannot_be_meant_is_refused(health: Any, said: str) -> None:
    [fault] = faults(gateways=["203.0.113.1"], health=health)
    assert said in fault
    assert fault.startswith("lines[0] (unicom): health: ")


def test_probes_that_nothing_keeps_on_the_line_are_refused() -> None:
    assert "nothing pins probes to the line" in faults(addresses=None, health={"targets": ["192.0.2.1"]})[0]
    assert Line.parse({"name": "a", "id": 1, "mark": 1, "health": {"targets": ["192.0.2.1"]}}).families == (4,)
    assert faults(bind_interface=True) == ("lines[0] (unicom): bind_interface: needs an interface",)


def test_names_and_ids_are_unique() -> None:
    with pytest.raises(InvalidInput, match="two entries for one line a"):
        parse_lines([{"name": "a", "id": 1}, {"name": "a", "id": 2}])
    with pytest.raises(InvalidInput, match="lines a and b: both have the id 1"):
        parse_lines([{"name": "a", "id": 1}, {"name": "b", "id": 1}])


def test_a_name_is_a_target_of_both_families() -> None:
    health = Health.parse({"targets": ["192.0.2.1", {"http": "https://status.example.net/"}]})
    assert [str(target) for target in health.targets_of(6)] == ["https://status.example.net/"]
    assert len(health.targets_of(4)) == 2


_TARGETS = st.one_of(
    st.ip_addresses().map(str),
    st.builds(lambda host, port: {"tcp": f"{host}:{port}"}, st.ip_addresses(v=4), st.integers(1, 65535)),
    st.builds(lambda path: {"http": f"http://a.example/{path}"}, st.text("abc/?&=", max_size=9)),
)


@given(_TARGETS)
def test_a_target_that_is_read_is_written_as_one_that_means_the_same(entry: Any) -> None:
    try:
        target = Target.parse(entry)
    except ValueError:
        return
    assert Target.parse(target.as_input()) == target


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["targets", "dns", "tcp", "http", "status", "query", "degraded", "loss"]), inner
            )
        ),
    )
)
def test_anything_is_read_or_refused(value: Any) -> None:
    for entry in (value, {"name": "a", "id": 1, "addresses": ["203.0.113.1"], "health": value}):
        with contextlib.suppress(InvalidInput):
            parse_lines([entry])
