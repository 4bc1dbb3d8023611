# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Translations that a declaration describes, by packets: older connections, and destinations that are not translated.

The tests of a lab build on each other in their order.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks, datagrams, playbooks
from ansible_collections.multihome.linux.tests.e2e.offers import CLIENT, plain
from ansible_collections.multihome.linux.tests.e2e.traffic import ask
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab

BACKENDS = ("nftables", "iptables")
# Not the client that is asked elsewhere: the other one.
FAR = {"IPv4": "192.0.2.102", "IPv6": "2001:db8:c::102"}


@pytest.fixture(scope="module")
def lab(start_lab: StartLab) -> Lab:
    """One line, one firewall, one server."""
    return start_lab(lines=1)


@contextlib.contextmanager
def datagrams_to(lab: Lab, address: str, source_port: int, port: int = 53) -> Iterator[Callable[[], int]]:
    """Send from one port for as long as the context lasts; yield what returns how many of four more are answered."""
    words = [sys.executable, str(Path(datagrams.__file__)), address, str(port), str(source_port)]
    with lab.popen(CLIENT, *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asked, answers = process.stdin, process.stdout

        def answered() -> int:
            print(file=asked, flush=True)
            return int(answers.readline())

        yield answered
        asked.close()


def without(lab: Lab, service: str) -> dict[str, Any]:
    """The lab's lists without one service."""
    lists = playbooks.declared(lab)
    lists["multihome_services"] = [each for each in lists["multihome_services"] if each["name"] != service]
    return lists


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_client_that_is_older_than_a_mapping_reaches_it(lab: Lab, backend: str) -> None:
    variables = {"isp_firewall_backend": backend}
    port = 41000 + 10 * BACKENDS.index(backend)
    one, other = map(plain, lab.lines[0].public)
    playbooks.deploy(lab, variables={**variables, **without(lab, "query")})
    with datagrams_to(lab, one, port) as of_one, datagrams_to(lab, other, port + 1) as of_other:
        assert (of_one(), of_other()) == (0, 0)
        # The control: a client whose connection stays never reaches the mapping.
        playbooks.deploy(lab, variables={**variables, "isp_firewall_forget_flows": "none"})
        assert (of_one(), of_other()) == (0, 0)
        playbooks.deploy(lab, variables={**variables, **without(lab, "query")})
        playbooks.deploy(lab, variables=variables)
        assert checks.eventually(lambda: [] if of_one() and of_other() else ["no answer"]) == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_connections_to_the_old_server_move_only_where_changed_ones_are_deleted(lab: Lab, backend: str) -> None:
    variables = {"isp_firewall_backend": backend}
    moved = playbooks.declared(lab)
    (query,) = (each for each in moved["multihome_services"] if each["name"] == "query")
    # A port on which nobody answers.
    query["ports"] = [{"public": 53, "private": 9, "protocol": "udp"}]
    port = 43000 + 10 * BACKENDS.index(backend)
    one, other = map(plain, lab.lines[0].public)
    playbooks.deploy(lab, variables=variables)
    with datagrams_to(lab, one, port) as of_one, datagrams_to(lab, other, port + 1) as of_other:
        assert of_one()
        assert of_other()
        # new, the default, leaves them.
        playbooks.deploy(lab, variables={**variables, **moved})
        assert of_one()
        assert of_other()
        # The control: clients that come now do not reach the old server.
        with datagrams_to(lab, one, port + 2) as of_late:
            assert not of_late()
        playbooks.deploy(lab, variables=variables)
        playbooks.deploy(lab, variables={**variables, **moved, "isp_firewall_forget_flows": "changed"})
        assert (of_one(), of_other()) == (0, 0)
    playbooks.deploy(lab, variables=variables)


@pytest.mark.parametrize("backend", BACKENDS)
def test_destinations_are_reached_without_translation(lab: Lab, backend: str) -> None:
    lists = playbooks.declared(lab)
    lists["multihome_lines"][0]["untranslated"] = list(FAR.values())
    variables = {"isp_firewall_backend": backend}
    playbooks.deploy(lab, variables={**variables, **lists})
    assert sources_at_isp(lab) == {"192.168.168.1", "fd00:168::1"}
    # All else is translated, and answered.
    assert checks.everything(lab) == []
    assert checks.nothing_changed(playbooks.deploy(lab, variables={**variables, **lists})) == []
    # The control: without it, these are translated too.
    playbooks.deploy(lab, variables=variables)
    assert sources_at_isp(lab) == {plain(address) for address in lab.lines[0].public}


def sources_at_isp(lab: Lab) -> set[str]:
    """The sources by which the ISP sees what the server sends to the far client."""
    (line,) = lab.lines
    lab.exec(line.isp, "nft", "-f", "-", stdin=WITNESS)
    try:
        hosts = {"IPv4": FAR["IPv4"], "IPv6": f"[{FAR['IPv6']}]"}
        ask(lab, "web1", [f"tcp://{host}:5000" for host in hosts.values()], timeout=1)
        listed = lab.exec(line.isp, "nft", "list", "table", "inet", "seen").stdout
    finally:
        lab.exec(line.isp, "nft", "delete", "table", "inet", "seen")
    everyone = ["192.168.168.1", "fd00:168::1", *map(plain, line.public)]
    return {address for address in everyone if f" {address} " in listed.replace(",", " , ")}


WITNESS = f"""
table inet seen {{
    set sources4 {{ type ipv4_addr; flags dynamic; size 100; }}
    set sources6 {{ type ipv6_addr; flags dynamic; size 100; }}
    chain first {{
        type filter hook prerouting priority -310;
        ip daddr {FAR["IPv4"]} add @sources4 {{ ip saddr }}
        ip6 daddr {FAR["IPv6"]} add @sources6 {{ ip6 saddr }}
    }}
}}
"""


TAKES = """
table ip other {
    chain c {
        type nat hook prerouting priority -150
        tcp dport 80 dnat to 192.168.168.77
    }
}
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_deployment_names_the_translation_that_takes_its_services(lab: Lab, backend: str) -> None:
    """N5: somebody else's DNAT of the same port."""
    variables = {"isp_firewall_backend": backend}
    (line,) = lab.lines
    playbooks.deploy(lab, variables=variables)
    assert checks.services_answered(lab) == []
    lab.exec(line.end, "nft", "-f", "-", stdin=TAKES)
    try:
        # The control: it does take them.
        assert checks.services_answered(lab) != []
        with pytest.raises(playbooks.PlaybookFailed, match=r"translation-taken, nft table ip other, chain c.*") as said:
            playbooks.deploy(lab, variables=variables)
        assert "remedy: remove the rule" in str(said.value)
        # After the last change as well, where nobody looked before it.
        more = {**without(lab, "query"), "isp_firewall_preflight": False, **variables}
        assert taken(playbooks.deploy(lab, variables=more)) != []
        verified = playbooks.verify(lab)
        assert verified.code
        (fault,) = [text for text in verified.failures[-1].splitlines() if "other" in text]
        assert re.search(r"fw-a: nft table ip other, chain c: its rule DNAT .* port 80 is asked first", fault)
        assert "remedy: remove the rule, have the program that wrote it use another port" in fault
    finally:
        lab.exec(line.end, "nft", "delete", "table", "ip", "other")
    # The control: nobody else translates.
    assert taken(playbooks.deploy(lab, variables=variables)) == []
    assert checks.services_answered(lab) == []
    verified = playbooks.verify(lab)
    assert verified.code == 0, verified.failures


def taken(run: playbooks.Run) -> list[str]:
    """The warnings of a deployment that name the translation of another program."""
    warnings = [text for result in run.results for text in result.values.get("warnings") or ()]
    return [text for text in warnings if "nft table ip other, chain c: its rule DNAT" in text and "remedy: " in text]
