# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Targets: what a user may write, and every fault of a list at once."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.multihome.linux.plugins.module_utils._core.probes import targets as probes
from ansible_collections.multihome.linux.plugins.module_utils._core.probes.targets import Target, parse_targets
from ansible_collections.multihome.linux.plugins.modules import line_check

WEB = {"line": "unicom", "address": "203.0.113.10", "port": 80}


def faults(*entries: Any) -> list[str]:
    """What is said of a list of targets."""
    with pytest.raises(InvalidInput) as refused:
        parse_targets(entries)
    return list(refused.value.faults)


def test_the_least_that_has_to_be_said() -> None:
    assert parse_targets([WEB]) == [Target("unicom", "203.0.113.10", "tcp", 80, 3.0)]


def test_everything_that_can_be_said() -> None:
    entry = {
        "name": "dns",
        "line": "unicom",
        "address": "2001:DB8::1",
        "port": "53",
        "protocol": "udp",
        "timeout": "0.5",
        "attempts": "3",
        "source": "2001:db8::2",
        "send": "question",
        "expect": "answer",
    }
    assert parse_targets([entry]) == [
        Target("unicom", "2001:db8::1", "udp", 53, 0.5, 3, "2001:db8::2", "dns", "question", "answer")
    ]


def test_nothing_listed_is_a_legal_list() -> None:
    assert parse_targets([]) == []


def test_the_same_target_twice_is_asked_twice() -> None:
    assert len(parse_targets([WEB, WEB])) == 2


KNOWN = "address, attempts, expect, line, name, port, protocol, send, source, timeout"


def test_every_fault_of_the_list_is_said_at_once_with_its_entry() -> None:
    assert faults(
        {"line": "unicom", "address": "203.0.113.300", "port": 80},
        WEB,
        {"name": "dns", "line": "unicom", "address": "203.0.113.10", "protocol": "udp", "timeout": 0},
        {"address": "203.0.113.10", "protocol": "icmp", "port": 7, "send": "x"},
        {"line": "unicom", "address": "203.0.113.10", "port": 80, "source": "2001:db8::1"},
        {"line": "unicom", "address": "203.0.113.10", "protocol": "sctp", "port": 80},
        {"line": "unicom", "address": "203.0.113.10", "port": 80, "portt": 80, "expect": "x"},
        "203.0.113.10",
    ) == [
        "targets[0] (203.0.113.300): not an IP address",
        'targets[2] (dns): timeout "0": not above 0 and at most 600 seconds',
        "targets[2] (dns): port is missing; udp needs one",
        "targets[3] (203.0.113.10): line is missing",
        "targets[3] (203.0.113.10): port goes with tcp and udp; icmp has none",
        "targets[3] (203.0.113.10): send goes with udp alone",
        'targets[4] (203.0.113.10): source "2001:db8::1": not of the family of address "203.0.113.10"',
        'targets[5] (203.0.113.10): protocol "sctp": not one of tcp, udp, icmp',
        f'targets[6] (203.0.113.10): unknown field "portt"; known are {KNOWN}',
        "targets[6] (203.0.113.10): expect goes with udp alone",
        "targets[7]: not a dictionary but str",
    ]


@pytest.mark.parametrize("value", [True, None, "soon", [], math.nan, 0, -1, 600.5, math.inf, "nan"])
def test_what_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="seconds"):
        probes.seconds(value)


@pytest.mark.parametrize("value", [0.001, 1, "2.5", 600])
def test_what_is_a_time_is_taken(value: Any) -> None:
    assert probes.seconds(value) == float(value)


def test_a_number_of_attempts_out_of_range_is_refused() -> None:
    assert faults(*({**WEB, "attempts": value} for value in (0, 11, "twice"))) == [
        'targets[0] (203.0.113.10): attempts "0": not within 1 to 10',
        'targets[1] (203.0.113.10): attempts "11": not within 1 to 10',
        'targets[2] (203.0.113.10): attempts "twice": not a whole number',
    ]
    assert [parse_targets([{**WEB, "attempts": value}])[0].attempts for value in (1, 10)] == [1, 10]


def test_text_that_cannot_be_sent_is_refused() -> None:
    udp = {**WEB, "protocol": "udp"}
    assert faults({**udp, "expect": ""}, {**udp, "send": "\udc80"})[1:] == [
        'targets[1] (203.0.113.10): send "\\udc80": not text that UTF-8 can encode'
    ]
    assert parse_targets([{**udp, "send": "\x00\x01é"}])[0].send == "\x00\x01é"


def test_the_documentation_names_the_fields_that_are_taken_and_their_defaults() -> None:
    documented = yaml.safe_load(line_check.DOCUMENTATION)["options"]["targets"]["suboptions"]
    assert set(documented) == set(Target.FIELDS)
    assert documented["timeout"]["default"] == probes.DEFAULT_TIMEOUT
    assert documented["attempts"]["default"] == parse_targets([WEB])[0].attempts
    assert documented["send"]["default"] == probes.DEFAULT_DATAGRAM
    assert documented["protocol"]["default"] == parse_targets([WEB])[0].protocol
    required = {name for name, option in documented.items() if option.get("required")}
    assert faults({}) == [f"targets[0]: {name} is missing" for name in Target.FIELDS if name in required] + [
        "targets[0]: port is missing; tcp needs one"
    ]


def test_the_documentation_names_the_columns_of_a_row() -> None:
    documented = yaml.safe_load(line_check.RETURN)["rows"]["contains"]
    row = probes.Row(parse_targets([WEB])[0], milliseconds=1.5)
    assert list(row.as_result()) == list(documented)
