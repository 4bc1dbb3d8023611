# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the lists to what line_health gets on each host, which its engine accepts."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.multihome.linux.plugins.module_utils._core.health.model import parse_lines
from ansible_collections.multihome.linux.tests.unit.filter import declarations
from ansible_collections.multihome.linux.tests.unit.filter.derived import FILTERS

HEALTH = {"targets": ["192.0.2.1", {"dns": "192.0.2.53"}], "quorum": 1, "degraded": {"loss": 30}}


def server_lines(declaration: Any, host: str = "web1", **options: Any) -> list[dict[str, Any]]:
    """What a server's keeper watches."""
    lines = FILTERS["multihomed_web_lines"](declaration, host)
    reply = FILTERS["multihomed_web_reply"](declaration, host)
    found: list[dict[str, Any]] = FILTERS["multihomed_web_line_health"](lines, reply=reply, **options)
    parse_lines(found)
    return found


def firewall_lines(declaration: Any, host: str) -> list[dict[str, Any]]:
    """What a firewall's keeper watches."""
    found: list[dict[str, Any]] = FILTERS["isp_firewall_line_health"](FILTERS["isp_firewall_lines"](declaration, host))
    parse_lines(found)
    return found


def with_keys(declaration: Any, index: int = 0, **keys: Any) -> Any:
    """The declaration with keys of one of its lines."""
    lines = [{**line, **keys} if place == index else line for place, line in enumerate(declaration["lines"])]
    return {**declaration, "lines": lines}


def test_without_a_word_about_health_nothing_is_watched() -> None:
    for declaration in (declarations.shape_a([1, 2]), declarations.shape_b([1, 2])):
        for server in declaration["servers"]:
            assert server_lines(declaration, server["name"]) == []
        for firewall in {line["firewall"] for line in declaration["lines"]}:
            assert firewall_lines(declaration, firewall) == []


@pytest.mark.parametrize("keys", [{"health": {}}, {"health": HEALTH}, {"drained": True}, {"flows": "keep"}])
def test_one_word_about_health_has_all_lines_of_the_host_watched(keys: dict[str, Any]) -> None:
    declaration = with_keys(declarations.shape_a([1, 2]), **keys)
    server = declaration["servers"][0]["name"]
    first, second = server_lines(declaration, server)
    plain = {"name", "id", "interface", "addresses", "gateways"}
    assert set(first) - plain == ({*keys} if keys != {"health": {}} else set())
    assert set(second) == plain
    # End to end by the alias that stands for the line, and the firewall as its next hop.
    alias = declaration["servers"][0]["addresses"][first["name"]][0].partition("/")[0]
    assert first["addresses"][0] == alias
    one, other = (line["firewall"] for line in declaration["lines"])
    [own] = firewall_lines(declaration, one)
    assert (own["name"], own["interface"]) == (first["name"], declaration["lines"][0]["interface"])
    assert firewall_lines(declaration, other) == []


def test_a_firewall_of_several_lines_tells_them_apart_by_marks() -> None:
    declaration = with_keys(declarations.shape_b([1, 7]), health=HEALTH)
    found = firewall_lines(declaration, declaration["lines"][0]["firewall"])
    assert [line["mark"] for line in found] == ["0x1/0xff", "0x7/0xff"]
    assert found[0]["addresses"] == [each.partition("/")[0] for each in declaration["lines"][0]["public_addresses"]]
    assert found[0]["health"] == HEALTH


def test_one_address_for_all_lines_is_told_apart_by_marks() -> None:
    declaration = with_keys(declarations.with_one_address(declarations.shape_a([1, 2])), health=HEALTH)
    found = server_lines(declaration, declaration["servers"][0]["name"])
    assert [line["mark"] for line in found] == ["0x1/0xff", "0x2/0xff"]
    assert found[0]["addresses"] == found[1]["addresses"]


def test_balance_needs_the_marks_too() -> None:
    declaration = with_keys(declarations.shape_a([1, 2]), health=HEALTH)
    found = server_lines(declaration, declaration["servers"][0]["name"], default_route="balance")
    assert [line["mark"] for line in found] == ["0x1/0xff", "0x2/0xff"]


def test_every_fault_is_reported_at_its_place_and_on_the_controller() -> None:
    declaration = with_keys(
        declarations.shape_a([1, 2]), health={"targets": ["nowhere"], "quorum": 0, "speed": 1}, flows="drop"
    )
    faults = FILTERS["declaration_faults"](declaration)
    name = declaration["lines"][0]["name"]
    assert [fault for fault in faults if "health" in fault] == [
        f'multihome_lines[0] ({name}): health: unknown field "speed"',
        f'multihome_lines[0] ({name}): health: quorum "0": not within 1 to 16',
        f"multihome_lines[0] ({name}): health: targets[0] (nowhere): not an IP address",
    ]
    assert any("flows" in fault and "forget, keep, abort" in fault for fault in faults)


def test_one_line_of_a_server_stays_in_service() -> None:
    declaration = with_keys(with_keys(declarations.shape_a([1, 2]), 0, drained=True), 1, drained=True)
    with pytest.raises(AnsibleFilterError, match="one has to stay in service"):
        server_lines(declaration, declaration["servers"][0]["name"])
    # A firewall of one line: its servers use another firewall.
    [own] = firewall_lines(declaration, declaration["lines"][0]["firewall"])
    assert own["drained"]
