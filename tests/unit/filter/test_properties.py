# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every declaration: order means nothing, and no line's objects depend on another line."""

from __future__ import annotations

import copy
import random
from typing import Any

from ansible_collections.multihome.linux.tests.unit.filter import declarations
from ansible_collections.multihome.linux.tests.unit.filter.derived import FILTERS, everything, web_lists
from hypothesis import given, settings
from hypothesis import strategies as st

IDS = st.lists(st.integers(1, 250), min_size=1, max_size=8, unique=True)
DECLARATIONS = st.builds(declarations.shape_a, IDS) | st.sampled_from(list(declarations.ALL.values()))


def objects(lists: dict[str, list[dict[str, Any]]]) -> set[str]:
    """Every single alias, route and rule of a server, as a comparable text."""
    routes = [{"table": table["id"], **route} for table in lists["tables"] for route in table["routes"]]
    return {str(sorted(each.items())) for each in [*lists["aliases"], *routes, *lists["rules"]]}


def server_objects(declaration: declarations.Declaration) -> set[str]:
    """The objects of the first server."""
    lines = FILTERS["multihomed_web_lines"](declaration, declaration["servers"][0]["name"])
    return objects(web_lists(lines))


@settings(max_examples=20)
@given(DECLARATIONS, st.randoms(use_true_random=False))
def test_the_order_of_lines_servers_and_services_changes_nothing(
    declaration: declarations.Declaration, randomness: random.Random
) -> None:
    shuffled = {name: randomness.sample(entries, len(entries)) for name, entries in declaration.items()}
    shuffled["servers"] = [
        {**server, "addresses": dict(reversed(server.get("addresses", {}).items()))} for server in shuffled["servers"]
    ]
    assert everything(shuffled) == everything(declaration)


@settings(max_examples=20)
@given(IDS.filter(lambda ids: len(ids) > 1), st.data())
def test_removing_a_line_removes_its_objects_and_touches_no_others(ids: list[int], data: st.DataObject) -> None:
    before = declarations.shape_a(ids)
    gone = data.draw(st.sampled_from(before["lines"]))
    after = copy.deepcopy(before)
    after["lines"] = [line for line in after["lines"] if line["name"] != gone["name"]]
    del after["servers"][0]["addresses"][gone["name"]]
    removed = server_objects(before) - server_objects(after)
    assert server_objects(after) < server_objects(before)
    # Two aliases; two routes in its table and one in main for each; two rules for each.
    assert len(removed) == 2 + 6 + 4
    own = everything(before)
    rest = everything(after)
    for line in after["lines"]:
        host = line["firewall"]
        for kind in ("addresses", "tables", "kernel_parameters"):
            assert rest[host]["lists"][kind] == own[host]["lists"][kind]
        gone_public = {address.split("/")[0] for address in gone["public_addresses"]}
        assert rest[host]["lists"]["nat_rules"] == [
            rule for rule in own[host]["lists"]["nat_rules"] if rule.get("destination") not in gone_public
        ]


@given(IDS)
def test_numbers_follow_from_the_id_and_never_meet(ids: list[int]) -> None:
    declaration = declarations.shape_a(ids)
    lists = web_lists(FILTERS["multihomed_web_lines"](declaration, "web1"))
    assert [table["id"] for table in lists["tables"]] == [1000 + line_id for line_id in sorted(ids)] + [254]
    priorities = {(rule["name"], rule["priority"]) for rule in lists["rules"] if rule["name"] != "main"}
    assert priorities == {
        (line["name"], 23000 + 10 * line["id"] + step) for line in declaration["lines"] for step in (0, 1)
    }


@given(IDS)
def test_failover_prefers_weight_and_then_the_smaller_id(ids: list[int]) -> None:
    declaration = declarations.shape_a(ids)
    tables = FILTERS["multihomed_web_tables"](FILTERS["multihomed_web_lines"](declaration, "web1"), "failover")
    routes = [route for route in tables[-1]["routes"] if ":" not in route["gateway"]]
    metrics = {route["name"]: route["metric"] for route in routes}
    preferred = sorted(declaration["lines"], key=lambda line: (-line["weight"], line["id"]))
    assert sorted(metrics, key=lambda name: metrics[name]) == [line["name"] for line in preferred]
    assert len(set(metrics.values())) == len(ids)


def test_every_weight_and_id_has_a_metric_of_its_own() -> None:
    base = {"interface": "eth0", "addresses": ["192.0.2.2/24"], "gateways": ["192.0.2.1"]}
    ends = [(256, 1), (256, 250), (255, 1), (1, 1), (1, 250)]
    metrics = [
        FILTERS["multihomed_web_tables"]([{"name": "a", "id": line_id, "weight": weight, **base}], "failover")[-1][
            "routes"
        ][0]["metric"]
        for weight, line_id in ends
    ]
    assert metrics == sorted(metrics)
    assert len(set(metrics)) == len(ends)
    assert metrics[0] == 257
