# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients behind the firewalls leave translated, by the lines that the declaration names; by packets.

The tests of a lab build on each other in their order.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks, playbooks
from ansible_collections.multihome.linux.tests.e2e.offers import FAMILIES, plain, url
from ansible_collections.multihome.linux.tests.e2e.traffic import ask, connected
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab
from ansible_collections.multihome.linux.tests.lab.topology import LAN_CLIENT

OFFICE = {"name": "office", "networks": ["192.168.168.0/24", "fd00:168::/64"]}
BACKENDS = ("nftables", "iptables")


@pytest.fixture(scope="module")
def lab(start_lab: StartLab) -> Lab:
    """Two lines on one firewall, weights 4 and 1."""
    return start_lab(lines=2, shape="B")


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """The packet filter of the firewall."""
    return str(request.param)


def variables(lab: Lab, outgoing: Any = None, backend: str = "auto") -> dict[str, Any]:
    """The lab's lists, with the LAN's clients."""
    way = {} if outgoing is None else {"outgoing": outgoing}
    return {**playbooks.declared(lab), "multihome_networks": [{**OFFICE, **way}], "isp_firewall_backend": backend}


def clients(lab: Lab) -> dict[str, str]:
    """The addresses of a host on the Internet, by family."""
    return dict(zip(FAMILIES, map(plain, lab.topology.hosts["client1"].interfaces[0].addresses), strict=True))


def line_used(lab: Lab, family: str, timeout: float = 5) -> str | None:
    """The line whose address a host on the Internet sees of the LAN client; None for no answer."""
    target = url(clients(lab)[family])
    answer = ask(lab, LAN_CLIENT, [target], timeout=timeout).get(target)
    return None if answer is None else line_of(lab, answer["client"])


def line_of(lab: Lab, address: str) -> str:
    """The line of a public address; the address where it is none."""
    return next((line.name for line in lab.lines if address in map(plain, line.public)), address)


def lines_used(lab: Lab) -> list[str | None]:
    """The same by each family."""
    return [line_used(lab, family) for family in FAMILIES]


def switch(lab: Lab, name: str, state: str) -> None:
    """Switch a line's interface on the firewall."""
    (line,) = (line for line in lab.lines if line.name == name)
    lab.exec(line.end, "ip", "link", "set", line.interface, state)


def test_by_failover_clients_leave_by_the_preferred_line_and_stay_on_theirs(lab: Lab, backend: str) -> None:
    wanted = variables(lab, "failover", backend)
    playbooks.deploy(lab, variables=wanted)
    assert lines_used(lab) == ["unicom", "unicom"]
    assert checks.everything(lab) == []
    switch(lab, "unicom", "down")
    assert lines_used(lab) == ["interlink", "interlink"]
    hosts = [f"[{address}]" if ":" in address else address for address in clients(lab).values()]
    with connected(lab, LAN_CLIENT, [f"tcp://{host}:5000" for host in hosts], timeout=5) as use:
        before = use()
        assert {line_of(lab, seen[0]) for seen in before} == {"interlink"}
        switch(lab, "unicom", "up")
        playbooks.deploy(lab, variables=wanted)
        assert checks.eventually(lambda: [] if lines_used(lab) == ["unicom", "unicom"] else ["not back"]) == []
        # They stay where they began, though the other line is preferred again.
        assert use() == before
        # The control: without marks they would leave by the other line, whose ISP drops the foreign address.
        lab.exec("fw", "ip", "rule", "del", "priority", "20020")
        lab.exec("fw", "ip", "-6", "rule", "del", "priority", "20020")
        lab.exec("fw", "ip", "rule", "del", "priority", "20021")
        lab.exec("fw", "ip", "-6", "rule", "del", "priority", "20021")
        assert not any(use())
    assert checks.nothing_changed(playbooks.deploy(lab, variables=wanted)) != []
    assert checks.nothing_changed(playbooks.deploy(lab, variables=wanted)) == []


def test_lines_in_order(lab: Lab, backend: str) -> None:
    playbooks.deploy(lab, variables=variables(lab, ["interlink", "unicom"], backend))
    assert lines_used(lab) == ["interlink", "interlink"]
    # Servers in the same network go on as before.
    assert checks.outbound_by_alias(lab) + checks.services_answered(lab) == []
    switch(lab, "interlink", "down")
    assert lines_used(lab) == ["unicom", "unicom"]
    switch(lab, "interlink", "up")
    playbooks.deploy(lab, variables=variables(lab, ["interlink"], backend))
    back = ["interlink", "interlink"]
    assert checks.eventually(lambda: [] if lines_used(lab) == back else ["not back"]) == []
    # And by no other line.
    switch(lab, "interlink", "down")
    assert [line_used(lab, family, timeout=1) for family in FAMILIES] == [None, None]
    switch(lab, "interlink", "up")


def test_balance_is_by_weight_and_inside_nothing_is_distributed(lab: Lab, backend: str) -> None:
    wanted = variables(lab, "balance", backend)
    playbooks.deploy(lab, variables=wanted)
    for address in clients(lab).values():
        host = f"[{address}]" if ":" in address else address
        with connected(lab, LAN_CLIENT, [f"tcp://{host}:{port}" for port in range(5000, 5003)], timeout=5) as use:
            seen = use()
            used = Counter(line_of(lab, each[0]) for each in seen)
            # By nftables exactly by weight; by iptables at random, all by one line once in a thousand times.
            assert (
                used == {"unicom": 24, "interlink": 6}
                if backend == "nftables"
                else set(used) == {"unicom", "interlink"}
            )
            assert use() == seen
    assert checks.everything(lab) == []
    assert checks.nothing_changed(playbooks.deploy(lab, variables=wanted)) == []


def test_verify_passes_and_finds_what_leaves_untranslated(lab: Lab, backend: str) -> None:
    wanted = variables(lab, backend=backend)
    playbooks.deploy(lab, variables=wanted)
    assert playbooks.verify(lab, **wanted).code == 0
    if backend == "nftables":
        # The rules of maps are gone with their chain; verify reads these.
        lab.exec("fw", "nft", "flush", "chain", "inet", "multihome", "nat_postrouting")
    else:
        lab.exec("fw", "iptables", "-t", "nat", "-F", "multihome-source")
    assert line_used(lab, "IPv4", timeout=1) is None
    run = playbooks.verify(lab, **wanted)
    assert run.code
    assert "fw: 192.168.168.0/24 leaves by wan1 untranslated" in "\n".join(run.failures)


def test_verify_finds_an_exemption_that_is_not_declared(lab: Lab) -> None:
    wanted = variables(lab)
    playbooks.deploy(lab, variables=wanted)
    assert lines_used(lab) == ["unicom", "unicom"]
    declared = wanted["multihome_lines"][0]["untranslated"] = ["192.0.2.101", "10.9.0.0/16"]
    # The control: the same exemption is no fault where it is declared.
    playbooks.deploy(lab, variables=wanted)
    assert line_used(lab, "IPv4", timeout=1) is None
    assert "exemption" not in "\n".join(playbooks.verify(lab, **wanted).failures)
    del declared[0]
    run = playbooks.verify(lab, **wanted)
    assert run.code
    assert "fw: whatever it forwards leaves to 192.0.2.101 untranslated by an exemption" in "\n".join(run.failures)


def test_preflight_warns_of_networks_that_nobody_translates(lab: Lab) -> None:
    wanted = variables(lab)
    assert untranslated(playbooks.deploy(lab, variables=wanted)) == []
    assert lines_used(lab) == ["unicom", "unicom"]
    # Some of the LAN's hosts are declared, and not the one that asks.
    wanted["multihome_networks"][0]["networks"] = ["192.168.168.0/28", "fd00:168::/64"]
    warnings = untranslated(playbooks.deploy(lab, variables=wanted))
    assert [line_used(lab, family, timeout=1) for family in FAMILIES] == [None, "unicom"]
    assert [any(f"leaves by {name} " in text for text in warnings) for name in ("wan0", "wan1")] == [True, True]
    assert all("192.168.168.128/25" in text and "fd00" not in text for text in warnings)
    # A way out that is no line's.
    lab.exec("fw", "ip", "link", "add", "other0", "type", "veth", "peer", "name", "other1")
    lab.exec("fw", "ip", "link", "set", "other0", "up")
    lab.exec("fw", "ip", "route", "add", "default", "dev", "other0", "metric", "9000")
    try:
        wanted = variables(lab)
        (text,) = untranslated(playbooks.deploy(lab, variables=wanted))
        assert "may leave by other0 untranslated" in text
    finally:
        lab.exec("fw", "ip", "link", "delete", "other0")


def untranslated(run: playbooks.Run) -> list[str]:
    """The warnings of a deployment about what leaves untranslated."""
    warnings = [text for result in run.results for text in result.values.get("warnings") or ()]
    return [text for text in dict.fromkeys(warnings) if "untranslated" in text]


def test_without_the_list_clients_leave_as_before(lab: Lab) -> None:
    """The control: untranslated, which the ISP drops."""
    playbooks.deploy(lab)
    assert [line_used(lab, family, timeout=1) for family in FAMILIES] == [None, None]
    listed = lab.exec("fw", "nft", "list", "table", "inet", "multihome").stdout
    assert "marks_keep" not in listed


@pytest.fixture(scope="module")
def lab_of_two(start_lab: StartLab) -> Lab:
    """Two lines with a firewall each."""
    return start_lab(lines=2)


def test_with_a_firewall_for_each_line_clients_leave_by_their_gateway(lab_of_two: Lab, backend: str) -> None:
    lab = lab_of_two
    wanted = variables(lab, backend=backend)
    playbooks.deploy(lab, variables=wanted)
    # The LAN client's gateway is the first firewall.
    assert lines_used(lab) == ["unicom", "unicom"]
    for family, addresses in (("-4", ("192.168.168.12", "192.168.168.11")), ("-6", ("fd00:168::12", "fd00:168::11"))):
        other, first = addresses
        lab.exec(LAN_CLIENT, "ip", family, "route", "replace", "default", "via", other)
        try:
            assert line_used(lab, "IPv4" if family == "-4" else "IPv6") == "interlink"
        finally:
            lab.exec(LAN_CLIENT, "ip", family, "route", "replace", "default", "via", first)
    assert checks.everything(lab) == []
    run = playbooks.verify(lab, **wanted)
    assert run.code == 0, run.failures


def test_with_a_firewall_for_each_line_and_no_list_clients_get_no_answer(lab_of_two: Lab) -> None:
    """The control."""
    playbooks.deploy(lab_of_two)
    assert [line_used(lab_of_two, family, timeout=1) for family in FAMILIES] == [None, None]
