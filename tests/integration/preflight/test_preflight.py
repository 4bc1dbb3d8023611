# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""preflight on real hosts: each condition is found when it is made, and nothing is found once it is unmade."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.preflight.catalogue import KINDS
from ansible_collections.multihome.linux.tests.integration.namespaces import Host, Hosts
from ansible_collections.multihome.linux.tests.integration.preflight.scenarios import SCENARIOS, Scenario
from ansible_collections.multihome.linux.tests.integration.preflight.steps import (
    DOCKER,
    FILTER,
    INTERLINK,
    RULES,
    TABLES,
    UNICOM,
)
from ansible_collections.multihome.linux.tests.integration.run_module import run_module
from ansible_collections.multihome.linux.tests.lab.waiting import eventually

READY = {
    "lines": [UNICOM, INTERLINK],
    "role": "firewall",
    "fail_on": "never",
    "tables": TABLES,
    "rules": RULES,
}
Found = list[tuple[str, str]]


def look(hosts: Hosts, *, path: tuple[str, ...] = (), **options: Any) -> dict[str, Any]:
    """Run preflight on the host."""
    return run_module("preflight", {**READY, **options}, netns_prefix=hosts["host"].prefix, path=path)


def found(result: Mapping[str, Any]) -> Found:
    """Kinds and subjects of what was found."""
    return sorted((finding["id"], finding["subject"]) for finding in result["findings"])


def ready_hosts(user_namespace: bool | None) -> Iterator[Hosts]:
    """A firewall of two lines with nothing wrong, and the other end of its lines."""
    # The first host's network is made before its user namespace knows who is root: parts of its /proc/net are nobody's.
    with Hosts("peer", "host", user_namespace=user_namespace) as hosts:
        host, peer = hosts["host"], hosts["peer"]
        host.run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/etc/sysctl.d")
        for name in ("eth0", "eth1"):
            hosts.link("host", name, "peer", name)
        for each in (host, peer):
            each.sysctl(net__ipv4__conf__all__rp_filter=0, net__ipv4__conf__default__rp_filter=0)
            each.run("sysctl", "-q", "-w", "net.ipv4.conf.eth0.rp_filter=0", "net.ipv4.conf.eth1.rp_filter=0")
        host.address("eth0", "192.168.168.1/24", "fd00:168::1/64")
        host.address("eth1", "198.51.100.2/24")
        host.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
        peer.address("eth0", "192.168.168.11/24", "fd00:168::11/64")
        peer.address("eth1", "198.51.100.1/24")
        yield hosts


@pytest.fixture(scope="module")
def shared_hosts() -> Iterator[Hosts]:
    """Ready hosts that one scenario leaves to the next, where root is root of a user namespace alone."""
    yield from ready_hosts(True)


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    """Ready hosts of a test's own, where root is root if the tests are run by root."""
    yield from ready_hosts(None)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_what_is_wrong_is_found_and_nothing_else(shared_hosts: Hosts, scenario: Scenario) -> None:
    scenario.make(shared_hosts)
    try:
        wrong = look(shared_hosts, **scenario.options)
    finally:
        scenario.unmake(shared_hosts)
    assert found(wrong) == sorted(scenario.found)
    assert found(look(shared_hosts, **scenario.options)) == []


def test_every_kind_of_finding_was_made() -> None:
    made = {kind for scenario in SCENARIOS for kind, _subject in scenario.found}
    # These are of the tests below, and of test_real_hosts.py.
    made |= {"not-checked", "line-left-out", "reply-taken", "reply-taken-tolerated", "local-rule-not-first"}
    made |= {"own-port-mapped", "leaves-untranslated", "name-servers-on-lines-only", "reply-may-be-taken"}
    assert made | {"reverse-path-filter", "interface-alternative-name"} == set(KINDS)


def test_a_mapping_that_takes_a_port_of_the_firewall_is_a_warning(hosts: Hosts) -> None:
    taken = {"address": "198.51.100.2", "port": 22, "server": "192.168.168.5", "name": "shell"}
    result = look(hosts, taken_ports=[taken])
    assert found(result) == [("own-port-mapped", "198.51.100.2")]
    assert result["findings"][0]["severity"] == "warning"
    assert found(look(hosts, taken_ports=[])) == []


def test_a_zone_without_a_name_server_elsewhere_is_an_information(hosts: Hosts) -> None:
    result = look(hosts, zones_on_lines_only=["svc.example.com"])
    assert found(result) == [("name-servers-on-lines-only", "svc.example.com")]
    assert result["findings"][0]["severity"] == "info"
    assert found(look(hosts, zones_on_lines_only=[])) == []


def test_networks_from_which_something_leaves_untranslated_are_named(hosts: Hosts) -> None:
    network = "192.168.50.0/24"
    whole = [{"type": "masquerade", "source": network, "out_interface": name} for name in ("eth0", "eth1")]
    assert found(look(hosts, nat_rules=whole, translated_networks=[network])) == []
    part = [{**whole[0], "source": "192.168.50.0/25"}, whole[1]]
    result = look(hosts, nat_rules=part, translated_networks=[network])
    assert found(result) == [("leaves-untranslated", network)]
    (finding,) = result["findings"]
    assert finding["severity"] == "warning"
    assert finding["message"].startswith("leaves by eth0 (line unicom")
    assert finding["message"].endswith("untranslated: 192.168.50.128/25")
    # An exemption is meant, and without the option nobody asks.
    exempt = {"type": "exempt", "source": "192.168.50.128/25", "out_interface": "eth0"}
    assert found(look(hosts, nat_rules=[*part, exempt], translated_networks=[network])) == []
    assert found(look(hosts, nat_rules=part)) == []
    # A way out that is no line's.
    host = hosts["host"]
    host.run("ip", "link", "add", "other0", "type", "veth", "peer", "name", "other1")
    host.run("ip", "link", "set", "other0", "up")
    host.run("ip", "route", "add", "default", "dev", "other0")
    result = look(hosts, nat_rules=whole, translated_networks=[network])
    assert found(result) == [("leaves-untranslated", network)]
    assert "may leave by other0 untranslated" in result["findings"][0]["message"]
    host.run("ip", "route", "delete", "default")
    assert found(look(hosts, nat_rules=whole, translated_networks=[network])) == []


def test_a_line_that_cannot_be_used_now_is_a_warning_and_harms_no_other(hosts: Hosts) -> None:
    hosts["host"].run("ip", "link", "add", "ppp0", "type", "veth", "peer", "name", "ppp1")
    dynamic = {"id": 3, "interface": "ppp0", "addresses": ["auto"], "gateways": ["auto"]}
    left_out = look(hosts, lines=[UNICOM, {**dynamic, "left_out": "it has no address"}])
    assert found(left_out) == [("line-left-out", "ppp0")]
    (finding,) = left_out["findings"]
    assert (finding["severity"], finding["message"]) == (
        "warning",
        "line 3 cannot be used now: it has no address",
    )
    assert found(look(hosts, lines=[UNICOM, dynamic])) == []
    # The control: what is declared needs the interface.
    declared = {**dynamic, "addresses": ["198.18.3.2/24"], "gateways": ["198.18.3.1"]}
    assert ("interface-down", "ppp0") in found(look(hosts, lines=[UNICOM, declared]))


def hide_programs(directory: Path, *names: str) -> tuple[str, ...]:
    """Return a search path by which Python does not find programs."""
    (directory / "sitecustomize.py").write_text(
        "import shutil\nfind = shutil.which\n"
        f"shutil.which = lambda name, **more: None if name in {names!r} else find(name, **more)\n"
    )
    return (str(directory),)


def test_missing_programs_are_named_and_harm_nothing_else(hosts: Hosts, tmp_path: Path) -> None:
    hosts["host"].run("iptables-nft", "-t", "mangle", "-A", "PREROUTING", "-j", "MARK", "--set-mark", "1")
    hosts["host"].sysctl(net__ipv4__ip_forward=0)
    rest = [("forwarding-off", "IPv4")]
    assert found(look(hosts)) == [*rest, ("mark-in-use", "iptables table mangle, chain PREROUTING")]
    path = hide_programs(tmp_path, "iptables-nft-save", "iptables-save")
    assert found(look(hosts, path=path)) == [*rest, ("not-checked", "rules of iptables")]
    path = hide_programs(tmp_path, "nft")
    with_save = found(look(hosts, path=path))
    assert with_save == [
        *rest,
        ("mark-in-use", "iptables table mangle, chain PREROUTING"),
        ("not-checked", "packet filters"),
    ]
    with (tmp_path / "sitecustomize.py").open("a") as site:
        site.write('\nimport sys\nsys.modules["pyroute2"] = None\n')
    result = look(hosts, path=path)
    assert found(result) == sorted([*with_save, ("not-checked", "addresses, routes and policy rules")])
    reasons = [finding["message"] for finding in result["findings"] if finding["id"] == "not-checked"]
    assert any("pyroute2: needs 0.7.2 or newer" in reason for reason in reasons)


def test_who_may_not_ask_neighbours_is_told_so(hosts: Hosts) -> None:
    prefix = [*hosts["host"].prefix, "setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"]
    result = run_module("preflight", READY, netns_prefix=prefix)
    assert found(result) == [("not-checked", "eth0"), ("not-checked", "eth1")]
    assert "run as root" in result["findings"][0]["message"]


def test_an_interface_whose_name_is_not_utf_8_stops_nothing(hosts: Hosts) -> None:
    host, name = hosts["host"], "\udcff\udcfe1"
    host.run("ip", "link", "add", name, "type", "veth", "peer", "name", "veth1")
    host.run("ip", "link", "set", name, "up")
    host.run("ip", "address", "add", "10.1.0.1/24", "dev", name)
    host.run("ip", "rule", "add", "priority", "20500", "iif", name, "lookup", "77")
    band = ("priority-band-in-use", "priorities 20000 to 23020")
    assert found(look(hosts)) == [band]
    result = look(hosts, lines=[UNICOM, {**INTERLINK, "interface": "eth7"}])
    assert found(result) == [("interface-missing", "eth7"), band]
    (missing,) = (finding for finding in result["findings"] if finding["id"] == "interface-missing")
    assert missing["message"].endswith(r"this host has eth0, eth1, lo, veth1, \udcff\udcfe1")


def test_nothing_is_written(hosts: Hosts) -> None:
    host = hosts["host"]
    host.run("nft", "-f", "-", feed=FILTER.replace("RULES", ""))
    host.run("ip", "neighbour", "flush", "all")
    # The kernel looks for duplicates of its link-local addresses for a second or two, and then says so.
    eventually(lambda: not host.run("ip", "address", "show", "tentative").stdout)

    def state() -> str:
        commands = ["ip address", "ip route show table all", "ip rule", "ip -6 rule", "nft list ruleset"]
        commands += [f"ip neighbour show to {to}" for to in ("192.168.168.11", "198.51.100.1", "fd00:168::11")]
        commands += ["cat /proc/net/ip_tables_names", "find /run /etc/sysctl.d", "sysctl -a --pattern ^net.ipv"]
        return "".join(host.run(*command.split()).stdout for command in commands)

    before = state()
    assert "policy drop" in before
    assert look(hosts, lines=[UNICOM, {**INTERLINK, "addresses": ["198.51.100.7/24"]}])["changed"] is False
    assert state() == before


def test_severities_decide_whether_it_fails(hosts: Hosts) -> None:
    assert look(hosts, fail_on="warning")["findings"] == []
    hosts["peer"].run("ip", "address", "del", "198.51.100.1/24", "dev", "eth1")
    warned = look(hosts, fail_on="error")
    assert "failed" not in warned
    assert warned["counts"] == {"error": 0, "warning": 1, "info": 0}
    assert ["198.51.100.1" in str(warning) for warning in warned["warnings"]] == [True]
    assert look(hosts, fail_on="warning")["failed"] is True
    hosts["host"].sysctl(net__ipv4__ip_forward=0)
    failed = look(hosts, fail_on="error")
    assert failed["failed"] is True
    assert failed["counts"] == {"error": 1, "warning": 1, "info": 0}
    assert "error forwarding-off, IPv4: this firewall does not forward" in failed["msg"]
    assert "remedy: set net.ipv4.ip_forward = 1" in failed["msg"]
    assert "warning gateway-silent, 198.51.100.1" in failed["msg"]
    off, _warning = failed["findings"]
    mended = look(hosts, fail_on="error", kernel_parameters=[off["kernel_parameter"]])
    assert "failed" not in mended
    assert mended["counts"] == {"error": 0, "warning": 1, "info": 1}
    assert [finding["will_mend"] for finding in mended["findings"]] == [False, True]


def test_faults_of_the_list_come_all_at_once(hosts: Hosts) -> None:
    lines = [
        {"id": 1, "interface": "eth0"},
        {"id": "1", "interface": "eth1"},
        {"id": 999},
        {**UNICOM, "gateways": ["x"]},
    ]
    result = look(hosts, lines=lines, mark_mask="0")
    assert result["faults"] == [
        "lines[0] (1) and lines[1] (1): two entries for one line id 1; keep one of them",
        "lines[2] (999): not within 1 to 250",
        "lines[2] (999): interface is missing",
        "lines[3] (unicom): gateways: x: not an IP address",
        'mask "0": not within 1 to 0xffffffff; a mark of 0 is no mark',
    ]


@pytest.mark.parametrize("value", range(9))
def test_arp_ignore_is_found_exactly_when_the_gateway_gets_no_answer(hosts: Hosts, value: int) -> None:
    host, peer = hosts["host"], hosts["peer"]
    host.run("ip", "address", "add", "192.168.170.5/24", "dev", "eth0")
    peer.run("ip", "route", "add", "192.168.170.5", "dev", "eth0")
    host.sysctl(net__ipv4__conf__eth0__arp_ignore=value)
    deaf = look(hosts, lines=[{**UNICOM, "addresses": ["192.168.168.1/24", "192.168.170.5/24"]}])
    messages = [finding["message"] for finding in deaf["findings"] if finding["id"] == "arp-ignored"]
    for address in ("192.168.168.1", "192.168.170.5"):
        peer.run("ip", "neighbour", "flush", "all")
        answered = peer.run("ping", "-c", "1", "-W", "1", address, check=False).returncode == 0
        assert answered == (not any(address in message for message in messages))


@pytest.mark.parametrize("value", range(3))
def test_aliases_of_one_interface_work_with_every_arp_announce(hosts: Hosts, value: int) -> None:
    host, peer = hosts["host"], hosts["peer"]
    host.run("ip", "address", "add", "192.168.168.2/24", "dev", "eth0")
    host.sysctl(net__ipv4__conf__eth0__arp_announce=value)
    second = {**UNICOM, "id": 2, "addresses": ["192.168.168.2/24"]}
    assert found(look(hosts, lines=[UNICOM, second])) == []
    for alias in ("192.168.168.1", "192.168.168.2"):
        for each in (host, peer):
            each.run("ip", "neighbour", "flush", "all")
        host.run("ping", "-c", "1", "-W", "1", "-I", alias, "192.168.168.11")
        for each in (host, peer):
            each.run("ip", "neighbour", "flush", "all")
        peer.run("ping", "-c", "1", "-W", "1", alias)


def test_strict_filtering_is_an_error_exactly_where_it_drops(hosts: Hosts) -> None:
    host, peer = hosts["host"], hosts["peer"]
    peer.run("ip", "address", "add", "192.0.2.10/32", "dev", "lo")
    host.run("ip", "route", "add", "default", "via", "192.168.168.11", "proto", "109")

    def answered() -> bool:
        command = "ping -c 1 -W 1 -I 192.0.2.10 198.51.100.2"
        return peer.run(*command.split(), check=False).returncode == 0

    for value, drops in ((0, False), (1, True), (2, False)):
        host.sysctl(net__ipv4__conf__all__rp_filter=value)
        assert [finding for finding in found(look(hosts)) if finding[0] == "rp-filter-strict"] == (
            [("rp-filter-strict", "eth0"), ("rp-filter-strict", "eth1")] if drops else []
        )
        assert answered() is not drops
    # A source rule is part of the look-up of the way back.
    host.sysctl(net__ipv4__conf__all__rp_filter=1)
    host.run("ip", "rule", "add", "priority", "23020", "from", "198.51.100.2", "lookup", "1002")
    host.run("ip", "route", "add", "default", "via", "198.51.100.1", "table", "1002", "proto", "109")
    assert {kind for kind, _subject in found(look(hosts, uses_marks=False))} == {"rp-filter-strict-tolerated"}
    assert answered()


def test_interfaces_in_one_subnet_answer_and_ask_for_each_other(hosts: Hosts) -> None:
    host, peer = hosts["host"], hosts["peer"]
    # Both ends are in one switch, as two interfaces of a server in one LAN are.
    peer.run("ip", "link", "add", "name", "lan", "type", "bridge")
    peer.run("ip", "address", "flush", "dev", "eth0")
    for name in ("eth0", "eth1"):
        peer.run("ip", "link", "set", name, "master", "lan")
    peer.address("lan", "192.168.168.11/24")
    host.run("ip", "address", "flush", "dev", "eth1")
    host.run("ip", "address", "add", "192.168.168.2/24", "dev", "eth1")
    lines = [UNICOM, {**INTERLINK, "public_addresses": ["192.168.168.2/24"], "gateway": "192.168.168.11"}]
    hardware = _hardware(host)

    def place_of_second_address() -> str:
        command = "ip -br neighbour show 192.168.168.2"
        return peer.run(*command.split()).stdout.split()[2]

    def kinds() -> set[str]:
        return {kind for kind, _subject in found(look(hosts, lines=lines)) if kind.startswith("arp-")}

    # What the host asks with its second address goes out by its first interface, where the LAN's route leads.
    for announce, kind in ((0, {"arp-announces-other"}), (1, {"arp-announces-other"}), (2, set())):
        host.sysctl(net__ipv4__conf__all__arp_ignore=1, net__ipv4__conf__all__arp_announce=announce)
        assert kinds() == kind
        for each in (host, peer):
            each.run("ip", "neighbour", "flush", "all")
        host.run("ping", "-c", "1", "-W", "1", "-I", "192.168.168.2", "192.168.168.11")
        assert place_of_second_address() == hardware["eth0" if kind else "eth1"]
    # With the second interface's cable out, the first one answers for it, or nobody does.
    for ignore, kind in ((0, {"arp-answers-twice"}), (1, set())):
        host.sysctl(net__ipv4__conf__all__arp_ignore=ignore)
        assert kinds() == kind
        peer.run("ip", "link", "set", "eth1", "nomaster")
        peer.run("ip", "neighbour", "flush", "all")
        answered = peer.run("ping", "-c", "1", "-W", "1", "192.168.168.2", check=False).returncode == 0
        assert answered == bool(kind)
        peer.run("ip", "link", "set", "eth1", "master", "lan")


def _hardware(host: Host) -> dict[str, str]:
    rows = (line.split() for line in host.run("ip", "-br", "link").stdout.splitlines())
    return {row[0].partition("@")[0]: row[2] for row in rows}


@pytest.mark.parametrize("rules", [FILTER.replace("RULES", ""), DOCKER], ids=["nft", "Docker"])
def test_what_is_mapped_does_not_pass_until_the_remedy_is_applied(rules: str) -> None:
    with Hosts("peer", "host", "inside") as hosts:
        host, peer, inside = (hosts[name] for name in ("host", "peer", "inside"))
        host.run("mount", "-t", "tmpfs", "tmpfs", "/etc/sysctl.d")
        hosts.link("host", "eth1", "peer", "eth1")
        hosts.link("host", "lan0", "inside", "eth0")
        host.address("eth1", "198.51.100.2/24")
        host.address("lan0", "192.168.168.11/24")
        peer.address("eth1", "198.51.100.1/24")
        inside.address("eth0", "192.168.168.1/24")
        inside.run("ip", "route", "add", "default", "via", "192.168.168.11")
        host.sysctl(net__ipv4__ip_forward=1)
        inside.start("python3", "-m", "http.server", "80", stdout=-3, stderr=-3)
        mapped = {"type": "dnat", "protocol": "tcp", "destination": "198.51.100.2", "destination_port": "8080"}
        rule = {**mapped, "to_address": "192.168.168.1", "to_port": "80"}
        run_module("nat_rules", {"rules": [rule]}, netns_prefix=host.prefix)

        def passes() -> bool:
            program = "import socket; socket.create_connection(('198.51.100.2', 8080), 1)"
            return peer.run("python3", "-c", program, check=False).returncode == 0

        eventually(passes)
        assert found(look(hosts, lines=[INTERLINK])) == []
        host.run(*(["iptables-nft-restore"] if "*filter" in rules else ["nft", "-f", "-"]), feed=rules)
        (finding,) = look(hosts, lines=[INTERLINK], servers=["192.168.168.1"])["findings"]
        assert finding["id"] == ("iptables-forward-dropped" if "*filter" in rules else "forward-dropped")
        assert not passes()
        host.run(*shlex.split(finding["remedy"]))
        assert look(hosts, lines=[INTERLINK], servers=["192.168.168.1"])["findings"] == []
        assert passes()


def test_one_second_is_all_that_silence_costs(hosts: Hosts) -> None:
    hosts["peer"].run("ip", "address", "flush", "dev", "eth0")
    hosts["peer"].run("ip", "address", "flush", "dev", "eth1")
    durations = []
    for timeout in (0, 1.0):
        start = time.monotonic()
        result = look(hosts, probe_timeout=timeout)
        durations.append(time.monotonic() - start)
        assert len(result["findings"]) == (3 if timeout else 0)
    assert durations[1] > 1.0
    assert durations[1] - durations[0] < 2.0
