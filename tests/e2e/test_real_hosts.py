# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts as they are: other programs have rules, routes and translations there, and an interface is down.

Either every service is answered by its lines, or the deployment names the cause.
"""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks, playbooks
from ansible_collections.multihome.linux.tests.e2e.offers import CLIENT, plain, url
from ansible_collections.multihome.linux.tests.e2e.traffic import ask, connected
from ansible_collections.multihome.linux.tests.integration.numbered import NumberedPings, pinging
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab
from ansible_collections.multihome.linux.tests.lab.topology import Line
from ansible_collections.multihome.linux.tests.lab.webserver import ECHO_PORTS, HTTP_PORT

# An address of the server that tells no line stands for the container's.
CONTAINER_ADDRESSES = ("172.17.0.2", "fd00:17::2")
CONTAINER = """
table inet docker-like {
    chain PREROUTING {
        type nat hook prerouting priority dstnat
        meta nfproto ipv4 tcp dport 8088 dnat ip to 172.17.0.2:80
        meta nfproto ipv6 tcp dport 8088 dnat ip6 to [fd00:17::2]:80
    }
}
"""


@pytest.fixture(scope="module")
def deployed(start_lab: StartLab) -> Lab:
    """A server on which two lines end."""
    lab = start_lab(lines=2, shape="C")
    playbooks.deploy(lab)
    assert checks.everything(lab) == []
    return lab


def refused(lab: Lab, **variables: Any) -> str:
    """Why a deployment fails."""
    with pytest.raises(playbooks.PlaybookFailed) as raised:
        playbooks.deploy(lab, variables=variables)
    return str(raised.value)


def ip(lab: Lab, *arguments: str) -> None:
    """Run ip on the server."""
    lab.exec("web1", "ip", *arguments)


def test_rules_and_halves_of_the_address_space_that_others_add(deployed: Lab) -> None:
    """R2 and R3: halves take nothing, a rule before ours is named."""
    one, other = deployed.topology.lines
    gateways = {":" in gateway: gateway for gateway in one.gateways}
    own = {":" in address: address.partition("/")[0] for address in other.public}
    for family, halves in (("-4", ("0.0.0.0/1", "128.0.0.0/1")), ("-6", ("2000::/3",))):
        for half in halves:
            ip(deployed, family, "route", "add", half, "via", gateways[family == "-6"], "dev", one.interface)
    assert checks.services_answered(deployed) == []
    assert checks.nothing_changed(playbooks.deploy(deployed)) == []
    ip(deployed, "rule", "add", "priority", "100", "from", own[False], "lookup", "200")
    ip(deployed, "route", "add", "default", "via", gateways[False], "dev", one.interface, "table", "200")
    assert checks.services_answered(deployed) != []
    said = refused(deployed)
    assert "reply-taken" in said
    assert f"rule 100 (source {own[False]}, table 200)" in said
    playbooks.deploy(deployed, variables={"multihomed_web_reply_taken": "warn"})
    assert playbooks.verify(deployed).code != 0
    ip(deployed, "rule", "del", "priority", "100")
    assert checks.nothing_changed(playbooks.deploy(deployed)) == []
    assert checks.everything(deployed) == []


def test_lookup_local_behind_our_rules_is_refused_before_anything_changes(deployed: Lab) -> None:
    """R1."""
    ip(deployed, "rule", "add", "priority", "32765", "lookup", "local")
    ip(deployed, "rule", "del", "priority", "0")
    try:
        said = refused(deployed)
        assert "local-rule-not-first" in said
        assert "ip -4 rule add priority 0 lookup local" in said
    finally:
        ip(deployed, "rule", "add", "priority", "0", "lookup", "local")
        ip(deployed, "rule", "del", "priority", "32765")


def start_container(lab: Lab) -> None:
    """Let port 8088 of every address of the server lead to a container."""
    for address in CONTAINER_ADDRESSES:
        lab.exec("web1", "ip", "address", "replace", address, "dev", "lo")
    lab.exec("web1", "nft", "-f", "-", stdin=CONTAINER)


def remove_container(lab: Lab) -> None:
    """Remove the container and its translations."""
    lab.exec("web1", "nft", "delete", "table", "inet", "docker-like")
    for address in CONTAINER_ADDRESSES:
        lab.exec("web1", "ip", "address", "delete", address, "dev", "lo")


def container_unanswered(lab: Lab, timeout: float = 5) -> list[str]:
    """The public addresses at which a client on the Internet gets no answer of the container."""
    targets = [url(plain(address), port=8088) for line in lab.topology.lines for address in line.public]
    answers = ask(lab, CLIENT, targets, timeout=timeout)
    return [target for target in targets if target not in answers]


def test_a_container_on_the_server_needs_marks_and_gets_them(deployed: Lab) -> None:
    """R5: and goes back to source rules without it, losing nothing."""
    start_container(deployed)
    # The control: by source its replies leave by one line only.
    assert len(container_unanswered(deployed, 1)) == 2
    done = playbooks.deploy(deployed)
    assert done.changed["web1"] > 0
    assert container_unanswered(deployed) == []
    assert "fwmark 0x2/0xff" in deployed.exec("web1", "ip", "rule").stdout
    assert checks.everything(deployed) == []
    assert checks.nothing_changed(playbooks.deploy(deployed)) == []
    remove_container(deployed)
    playbooks.deploy(deployed)
    assert "fwmark" not in deployed.exec("web1", "ip", "rule").stdout
    # A last packet of the container's connections may still come.
    assert checks.eventually(lambda: checks.everything(deployed)) == []


def numbered(lab: Lab) -> list[NumberedPings]:
    """Requests without a break from a client to each public address."""
    addresses = [address.partition("/")[0] for line in lab.topology.lines for address in line.public]
    found = [NumberedPings(lab.popen(CLIENT, *pinging(text), stdout=subprocess.PIPE)) for text in addresses]
    for pings in found:
        pings.wait_for_more()
    return found


def lost(found: list[NumberedPings]) -> list[list[int]]:
    """The numbers of the requests that were lost, of each address."""
    for pings in found:
        pings.wait_for_more()
    return [pings.end() for pings in found]


def test_replies_by_source_and_by_mark_take_turns_without_losing_a_packet(deployed: Lab) -> None:
    """R5: in both directions; pings by their number, and TCP connections that last all the time."""
    port = ECHO_PORTS[0]
    services = [url(plain(address), "tcp", port, port) for line in deployed.topology.lines for address in line.public]
    with connected(deployed, CLIENT, services) as use:
        before = use()
        assert None not in before
        for change in (start_container, remove_container):
            pings = numbered(deployed)
            change(deployed)
            playbooks.deploy(deployed)
            assert ("fwmark" in deployed.exec("web1", "ip", "rule").stdout) is (change is start_container)
            assert lost(pings) == [[], [], [], []]
            # These are the same connections: the server sees the same address and port of each client.
            assert use() == before
    pings = numbered(deployed)
    # What a change that removes first would do.
    for family in ("-4", "-6"):
        rules = deployed.exec("web1", "ip", family, "rule", "show", "priority", "23020").stdout.split()
        ip(deployed, family, "rule", "del", "priority", "23020")
        pings[0].wait_for_more()
        ip(deployed, family, "rule", "add", "priority", "23020", *rules[1:], "protocol", "109")
    assert any(lost(pings)), "such a loss is seen"
    with connected(deployed, CLIENT, services, timeout=3) as use:
        assert None not in use()
        for family in ("-4", "-6"):
            ip(deployed, family, "rule", "del", "priority", "23020")
        assert None in use(), "the control: a connection without its rule is dead"
    playbooks.deploy(deployed)
    assert checks.nothing_changed(playbooks.deploy(deployed)) == []


def break_interface(lab: Lab, line: Line, how: str) -> None:
    """Switch a line's interface off; ``missing`` renames it as well."""
    lab.exec(line.end, "ip", "link", "set", line.interface, "down")
    if how == "missing":
        lab.exec(line.end, "ip", "link", "set", line.interface, "name", "gone0")


def heal_interface(lab: Lab, line: Line, how: str) -> None:
    """Undo it."""
    if how == "missing":
        lab.exec(line.end, "ip", "link", "set", "gone0", "name", line.interface)
    lab.exec(line.end, "ip", "link", "set", line.interface, "up")


def warnings(run: playbooks.Run) -> list[str]:
    """The warnings of a run."""
    return [str(warning) for result in run.results for warning in result.values.get("warnings") or ()]


def one_line_is_out(lab: Lab, how: str) -> None:
    """R6: one warning names the line, in check mode too; the others work; a deployment restores it."""
    one, other = lab.topology.lines
    break_interface(lab, other, how)
    said = "does not exist" if how == "missing" else "is down"
    # Meanwhile a service of the other line is added; a line that ends on the server translates no ports.
    services = playbooks.declared(lab)["multihome_services"]
    port = {"public": 8099, "private": HTTP_PORT, "protocol": "tcp"}
    if lab.topology.options.shape != "C":
        services.append({"name": "meanwhile", "server": "web1", "ports": [port], "lines": [one.name]})
    for words in (("--check",), ()):
        found = warnings(playbooks.deploy(lab, *words, variables={"multihome_services": services}))
        [warned] = [text for text in found if said in text]
        assert warned.startswith(f"{other.end}, {other.interface}: line {other.name} ends on {other.interface}, which ")
        # Of the lab's own default route beside those of a firewall of several lines.
        assert all("main has" in text for text in found if text != warned)
    assert checks.services_answered(lab, [one.name]) == []
    if lab.topology.options.shape != "C":
        added = [url(plain(address), port=8099) for address in one.public]
        assert ask(lab, CLIENT, added, timeout=5).keys() == set(added)
    assert checks.line_is_dead(lab, other.name) == []
    heal_interface(lab, other, how)
    playbooks.deploy(lab)
    assert checks.eventually(lambda: checks.everything(lab)) == []


@pytest.mark.parametrize("how", ["down", "missing"])
def test_a_line_whose_interface_is_down_or_missing_does_not_stop_the_others(deployed: Lab, how: str) -> None:
    one_line_is_out(deployed, how)


@pytest.fixture(scope="module")
def behind_firewalls(start_lab: StartLab) -> Lab:
    """A server with an alias for each of two lines, behind a firewall for each."""
    lab = start_lab(lines=2)
    playbooks.deploy(lab)
    assert checks.everything(lab) == []
    return lab


@pytest.fixture(scope="module")
def behind_one_firewall(start_lab: StartLab) -> Lab:
    """A server with an alias for each of two lines, behind one firewall for both."""
    lab = start_lab(lines=2, shape="B")
    playbooks.deploy(lab)
    assert checks.everything(lab) == []
    return lab


@pytest.fixture(scope="module")
def several_servers(start_lab: StartLab) -> Lab:
    """Two servers behind a firewall for each of two lines; not each service is on each line."""
    lab = start_lab(lines=2, servers=2, shape="D")
    playbooks.deploy(lab)
    assert checks.everything(lab) == []
    return lab


LABS = ["behind_firewalls", "behind_one_firewall", "several_servers"]


@pytest.mark.parametrize("how", ["down", "missing"])
@pytest.mark.parametrize("name", LABS)
def test_a_firewalls_line_that_is_down_or_missing_does_not_stop_the_others(
    request: pytest.FixtureRequest, name: str, how: str
) -> None:
    one_line_is_out(request.getfixturevalue(name), how)


@pytest.mark.parametrize("name", LABS)
def test_a_container_on_a_server_behind_firewalls(request: pytest.FixtureRequest, name: str) -> None:
    """R5: its service is answered by each line, and nothing changes the second time."""
    lab: Lab = request.getfixturevalue(name)
    services = playbooks.declared(lab)["multihome_services"]
    services.append({"name": "container", "server": "web1", "ports": ["8088/tcp"]})
    with_container = {"multihome_services": services}
    start_container(lab)
    if name != "behind_one_firewall":
        # The control: by source its replies leave by one line only. One firewall for all gets them in any case.
        playbooks.deploy(lab, variables={**with_container, "multihomed_web_reply": "source"})
        assert len(container_unanswered(lab, 1)) == 2
    playbooks.deploy(lab, variables=with_container)
    assert container_unanswered(lab) == []
    # What was begun with the other kind of replies is sent again for a while.
    assert checks.eventually(lambda: checks.everything(lab)) == []
    assert checks.nothing_changed(playbooks.deploy(lab, variables=with_container)) == []
    remove_container(lab)
    playbooks.deploy(lab)
    assert checks.eventually(lambda: checks.everything(lab)) == []
