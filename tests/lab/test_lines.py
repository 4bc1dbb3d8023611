# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines work, break in each way and heal, as packets see it; and a wrong path fails, as it does on the Internet."""

from __future__ import annotations

import json

import pytest
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import BREAKS, Lab
from ansible_collections.multihome.linux.tests.lab.state import LabError
from ansible_collections.multihome.linux.tests.lab.topology import Line, network_of
from ansible_collections.multihome.linux.tests.lab.waiting import eventually

COUNT_FOREIGN = """
table inet arrived {
  counter foreign { }
  chain input {
    type filter hook input priority filter; policy accept;
    ip saddr 198.51.100.77 counter name "foreign"
    ip6 saddr 2001:db8:b::77 counter name "foreign"
  }
}
"""


@pytest.fixture(scope="module")
def lab(start_lab: StartLab) -> Lab:
    """Three lines, a firewall on each; a test leaves them whole."""
    return start_lab(lines=3)


def answers(lab: Lab, host: str, address: str) -> bool:
    """Whether `address` answers `host`'s echo request within a second."""
    return lab.exec(host, "ping", "-n", "-c1", "-W1", address, check=False).returncode == 0


def public(line: Line) -> list[str]:
    """A line's public addresses on its firewall, one of each family."""
    return [address.split("/")[0] for address in line.public]


def wait_for_answer(lab: Lab, host: str, address: str) -> None:
    """Wait as long as a neighbour asked for in vain may be asked for again (ARP: once a second)."""
    eventually(lambda: answers(lab, host, address), f"{host} does not reach {address}")


def reached(lab: Lab, line: Line) -> list[bool]:
    """Whether a client on the Internet reaches each public address of the line."""
    return [answers(lab, "client1", address) for address in public(line)]


def own_network(lab: Lab, host: str) -> list[object]:
    """A host's addresses and routes; carriers and lifetimes left out."""
    addresses = json.loads(lab.exec(host, "ip", "-json", "address").stdout)
    kept = [[(a["local"], a["prefixlen"], a["scope"]) for a in link["addr_info"]] for link in addresses]
    routes = []
    for family in ("-4", "-6"):
        routes += json.loads(lab.exec(host, "ip", family, "-json", "route", "show", "table", "all").stdout)
    return [kept, sorted(json.dumps({**route, "flags": []}, sort_keys=True) for route in routes)]


@pytest.mark.parametrize("how", BREAKS)
def test_a_broken_line_fails_alone_and_heals_exactly(lab: Lab, how: str) -> None:
    line, others = lab.lines[0], lab.lines[1:]
    before = own_network(lab, line.end)
    assert reached(lab, line) == [True, True]
    assert lab.break_line(line.name, how)
    assert not lab.break_line(line.name, how)
    assert lab.breaks == {line.name: how}
    assert reached(lab, line) == [False, False]
    for other in others:
        assert reached(lab, other) == [True, True]
    assert lab.heal_line(line.name)
    assert not lab.heal_line(line.name)
    assert lab.breaks == {}
    for address in public(line):
        wait_for_answer(lab, "client1", address)
    assert own_network(lab, line.end) == before


def test_the_ways_to_break_differ_in_what_the_firewall_and_the_lan_see(lab: Lab) -> None:
    line = lab.lines[1]

    def seen() -> tuple[str, bool, bool]:
        carrier = lab.exec(line.end, "cat", "/sys/class/net/wan0/carrier").stdout.strip()
        return carrier, answers(lab, line.end, line.gateways[0]), answers(lab, "lan1", line.inside[0])

    assert seen() == ("1", True, True)
    expected = {
        "carrier": ("0", False, True),
        "blackhole": ("1", True, True),
        "firewall": ("0", False, False),
    }
    # From one to the other without healing: only the last holds.
    for how in BREAKS:
        lab.break_line(line.name, how)
        if expected[how][1]:
            wait_for_answer(lab, line.end, line.gateways[0])
        assert seen() == expected[how]
    lab.heal_line(line.name)
    wait_for_answer(lab, line.end, line.gateways[0])
    assert seen() == ("1", True, True)


def test_what_cannot_be_broken_is_refused(lab: Lab, start_lab: StartLab) -> None:
    with pytest.raises(LabError, match='no line "unicon", the lab has: unicom, interlink, line3'):
        lab.break_line("unicon", "carrier")
    with pytest.raises(LabError, match='"fire" is none of carrier, blackhole, firewall'):
        lab.break_line("unicom", "fire")
    with pytest.raises(LabError, match=r"ends on web1 itself \(shape C\): it has no firewall to break"):
        start_lab(shape="C").break_line("unicom", "firewall")


def test_an_isp_drops_what_its_customer_sends_from_foreign_addresses(lab: Lab) -> None:
    """BCP 38: without it a reply that leaves by the wrong line would arrive, and no test could tell."""
    line = lab.lines[0]
    foreign = {"-4": ("198.51.100.77", "192.0.2.101"), "-6": ("2001:db8:b::77", "2001:db8:c::101")}
    lab.exec("client1", "nft", "-f", "-", stdin=COUNT_FOREIGN)

    def arrived() -> int:
        """Send from each foreign address and return how many packets have come to the client."""
        for family, (source, destination) in foreign.items():
            lab.exec(line.end, "ping", family, "-c1", "-W1", "-I", source, destination, check=False)
        listed = json.loads(lab.exec("client1", "nft", "-j", "list", "counters").stdout)["nftables"]
        return int(listed[1]["counter"]["packets"])

    for source, _destination in foreign.values():
        length = "128" if ":" in source else "32"
        lab.exec(line.end, "ip", "address", "add", f"{source}/{length}", "dev", "lo", "nodad")
    assert arrived() == 0
    # The control: without the filter both arrive.
    rules = lab.exec(line.isp, "nft", "list", "table", "inet", "source_filter").stdout
    lab.exec(line.isp, "nft", "delete", "table", "inet", "source_filter")
    assert arrived() == 2
    lab.exec(line.isp, "nft", "-f", "-", stdin=rules)
    assert arrived() == 2


def test_one_firewall_for_all_lines_answers_only_by_its_default_line(start_lab: StartLab) -> None:
    """Shape B as it is before it is deployed: every reply leaves by the first line, whose ISP drops the others'."""
    lab = start_lab(lines=2, shape="B")
    assert [reached(lab, line) for line in lab.lines] == [[True, True], [False, False]]
    lab.exec("fw", "ip", "rule", "add", "from", "198.51.100.20", "lookup", "77")
    lab.exec("fw", "ip", "route", "add", "default", "via", "198.51.100.1", "table", "77")
    assert [reached(lab, line) for line in lab.lines] == [[True, True], [True, False]]
    # The firewall is gone for all its lines, and each break of another line outlasts that.
    lab.break_line("interlink", "carrier")
    lab.break_line("unicom", "firewall")
    assert not answers(lab, "lan1", "192.168.168.11")
    lab.heal_line("unicom")
    wait_for_answer(lab, "lan1", "192.168.168.11")
    wait_for_answer(lab, "client1", "203.0.113.10")
    assert [reached(lab, line) for line in lab.lines] == [[True, True], [False, False]]
    lab.heal_line("interlink")
    wait_for_answer(lab, "client1", "198.51.100.20")
    assert [reached(lab, line) for line in lab.lines] == [[True, True], [True, False]]


def test_lines_that_end_on_the_server_come_without_addresses(start_lab: StartLab) -> None:
    lab = start_lab(lines=3, servers=2, shape="C")
    wan = {line.name: (line.end, line.interface) for line in lab.lines}
    assert wan == {"unicom": ("web1", "wan0"), "interlink": ("web2", "wan0"), "line3": ("web1", "wan1")}
    for host, interface in wan.values():
        link = json.loads(lab.exec(host, "ip", "-json", "address", "show", "dev", interface).stdout)[0]
        assert link["operstate"] == "UP"
        assert [a for a in link["addr_info"] if a["scope"] != "link"] == []
    # With the line's address and a route it works: the cable ends where the declaration says.
    line = lab.lines[2]
    lab.exec("web1", "ip", "address", "add", line.public[0], "dev", "wan1")
    lab.exec("web1", "ip", "route", "add", "default", "via", line.gateways[0])
    assert lab.ask("client1", f"http://{public(line)[0]}/")["answers"][0]["host"] == "web1"


def test_servers_run_web_servers_that_log_who_asked(lab: Lab) -> None:
    urls = [
        "http://192.168.168.101/",
        "http://[fd00:168::101]/",
        "tcp://192.168.168.101:5010",
        "udp://[fd00:168::101]:53",
    ]
    report = lab.ask("lan1", *urls, count=50, concurrency=4)
    assert (report["asked"], report["answered"], report["failed"]) == (200, 200, 0)
    clients = {answer["url"]: (answer["count"], answer["client"]) for answer in report["answers"]}
    assert clients == {url: (50, "fd00:168::201" if "fd00" in url else "192.168.168.201") for url in urls}
    log = [
        json.loads(line) for line in lab.exec("web1", "cat", "/var/log/multihome-lab/access.log").stdout.splitlines()
    ]
    assert len(log) == 200
    assert {entry["client"] for entry in log} == {"192.168.168.201", "fd00:168::201"}
    # The control: what nobody serves is a failure.
    assert lab.ask("lan1", "http://192.168.168.11/", timeout=1)["failed"] == 1


def test_servers_come_bare_and_the_lan_reaches_each_firewall(lab: Lab) -> None:
    assert lab.exec("web1", "ip", "route", "show", "default").stdout == ""
    assert lab.exec("web1", "ip", "-6", "route", "show", "default").stdout == ""
    for line in lab.lines:
        assert lab.exec(line.end, "cat", "/proc/sys/net/ipv4/ip_forward").stdout == "0\n"
        for address in (*line.inside, *public(line)):
            assert answers(lab, "lan1", address)
        destination = lab.exec("lan1", "ip", "-json", "route", "get", public(line)[0]).stdout
        assert json.loads(destination)[0]["gateway"] == line.inside[0], network_of(line.public[0])
