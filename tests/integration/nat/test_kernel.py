# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nft in memory of the unit tests against real programs and the kernel: the same runs leave the same table."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.converge import converge
from ansible_collections.multihome.linux.tests.integration.namespaces import Host, Hosts
from ansible_collections.multihome.linux.tests.integration.nat.programs import EVERY_NFT, NFT_OF_DEBIAN_13
from ansible_collections.multihome.linux.tests.unit.nat.engines import nft_engine
from ansible_collections.multihome.linux.tests.unit.nat.entries import entries
from ansible_collections.multihome.linux.tests.unit.nat.fake_nft import FakeNft
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


class RealNft:
    """The program, on a host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def __call__(self, arguments: Sequence[str], text: str | None) -> tuple[int, str, str]:
        """Run one command."""
        done = self._host.run("nft", *arguments, feed=text, check=False)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module", params=EVERY_NFT, ids=str)
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    with Hosts("host") as hosts, request.param.on(hosts["host"]):
        if request.param is NFT_OF_DEBIAN_13:
            assert version(hosts["host"]).startswith("1.1.")
        yield hosts["host"]


def version(host: Host) -> str:
    """Return the version of the nft that runs on a host."""
    found = re.search(r"v([\d.]+)", host.run("nft", "--version").stdout)
    assert found
    return found[1]


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lists=st.lists(entries(), min_size=1, max_size=4), purge=st.booleans())
def test_the_same_runs_leave_the_same_table(host: Host, lists: list[list[dict[str, Any]]], purge: bool) -> None:
    host.run("nft", "flush", "ruleset")
    real, fake = RealNft(host), FakeNft(version(host))
    for listed in lists:
        results = []
        for nft in (real, fake):
            engine = nft_engine(listed, nft, purge)
            outcome = converge(engine, False, contextlib.nullcontext)
            assert not engine.plan(engine.read()).actions
            results.append((outcome.actions(), _comparable(nft)))
        assert results[0] == results[1]


def test_a_difference_would_show(host: Host) -> None:
    host.run("nft", "flush", "ruleset")
    real, fake = RealNft(host), FakeNft(version(host))
    shown = []
    for nft, port in ((real, "80"), (fake, "81")):
        rule = {"type": "dnat", "protocol": "tcp", "destination_port": port, "to_address": "10.0.0.1"}
        engine = nft_engine([rule], nft)
        converge(engine, False, contextlib.nullcontext)
        shown.append(_comparable(nft))
    assert shown[0] != shown[1]


@pytest.mark.parametrize(
    "line",
    [
        "add element inet multihome none { 10.0.0.1 counter : 10.0.0.2 }",
        "add rule inet multihome nat_postrouting snat ip to ip saddr map @none",
        "delete map inet multihome dnat_ipv4_proto_dport",
        "delete chain inet multihome nat_destination",
        "delete element inet multihome dnat_ipv4_proto_dport { 6 . 81 }",
        "add element inet multihome dnat_ipv4_proto_dport { 6 . 80 counter : 10.0.0.2 . 80 }",
        "delete rule inet multihome nat_postrouting handle 999",
        "add element inet multihome dnat_ipv4_proto_dports { 6 . 90-105 counter : 10.0.0.2 }",
        "add rule inet multihome nat_postrouting jump none",
    ],
)
def test_what_the_kernel_refuses_the_fake_refuses(host: Host, line: str) -> None:
    host.run("nft", "flush", "ruleset")
    for nft in (RealNft(host), FakeNft(version(host))):
        common = {"type": "dnat", "protocol": "tcp", "to_address": "10.0.0.1"}
        listed = [{**common, "destination_port": "80"}, {**common, "destination_port": "100-110"}]
        engine = nft_engine(listed, nft)
        converge(engine, False, contextlib.nullcontext)
        before = _comparable(nft)
        assert nft(["-f", "-"], line + "\n")[0] != 0
        assert _comparable(nft) == before


def _comparable(nft: RealNft | FakeNft) -> list[str]:
    """Return the objects of the table, without handles; elements sorted, rules in order within their chain."""
    status, output, _errors = nft(["-j", "list", "table", "inet", "multihome"], None)
    found, rules = [], []
    for wrapped in json.loads(output)["nftables"] if status == 0 else []:
        [(kind, content)] = wrapped.items()
        content = {name: value for name, value in content.items() if name not in ("handle", "stmt")}
        if kind == "rule":
            rules.append((content["chain"], json.dumps(content, sort_keys=True)))
        elif kind in ("chain", "map"):
            content["elem"] = sorted(json.dumps(e, sort_keys=True) for e in content.get("elem", []))
            found.append(json.dumps({kind: content}, sort_keys=True))
    rules.sort(key=lambda rule: rule[0])
    return sorted(found) + [text for _chain, text in rules]
