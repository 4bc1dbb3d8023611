# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper as a program on a real kernel: what disappears is back, and nothing of anybody else is touched."""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .host import ALIASES, ROUTING, Kept, kept

RULE = ("ip", "rule", "del", "priority", "23010")
DELETIONS = [
    ("ip", "address", "del", "192.168.168.1/24", "dev", "eth0"),
    ("ip", "address", "del", "fd00:168::1/64", "dev", "eth0"),
    ("ip", "route", "del", "default", "table", "1001"),
    RULE,
    ("ip", "rule", "flush"),
    ("ip", "address", "flush", "dev", "eth0", "label", "eth0", "to", "192.168.168.1"),
    ("nft", "flush", "ruleset"),
    ("nft", "delete", "table", "inet", "multihome"),
    ("nft", "flush", "chain", "inet", "multihome", "marks_prerouting"),
]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    with kept(tmp_path_factory.mktemp("keeper")) as made:
        yield made


@pytest.fixture
def keeper(host: Kept) -> Kept:
    """The host with a keeper that runs."""
    if host.process is None:
        host.start()
    return host


def test_without_a_keeper_nothing_comes_back_and_with_it_everything_does(host: Kept) -> None:
    before = host.state()
    # What is ours, so that the base address, its routes and the kernel's own rules stay.
    for command in (*DELETIONS[:4], ("nft", "flush", "ruleset")):
        host.host.run(*command)
    time.sleep(0.5)
    assert host.state()["nft"] == []
    host.start()
    try:
        assert host.differences(before) == []
        assert host.info()["running"]
        assert host.info()["repairs"] >= 8
    finally:
        host.stop()
    assert host.differences(before) == []
    assert not host.info()["running"]


@pytest.mark.parametrize("command", DELETIONS, ids=" ".join)
def test_each_object_that_is_deleted_is_back_within_a_second(keeper: Kept, command: tuple[str, ...]) -> None:
    before = keeper.state()
    if command == ("ip", "rule", "flush"):
        # A flush takes the kernel's default rules along: those are not ours to put back.
        before["rule"] = [line for line in before["rule"] if "from all lookup" not in line or line[0] == "0"]
    keeper.host.run(*command)
    assert keeper.as_before(before) < 1
    keeper.host.run("sh", "-c", "ip rule show | grep -q '^32766:' || ip rule add priority 32766 table main")
    keeper.host.run("sh", "-c", "ip rule show | grep -q '^32767:' || ip rule add priority 32767 table default")
    assert keeper.said("damped") == []


def test_an_ipv6_address_usable_until_now_is_usable_at_once_again(keeper: Kept) -> None:
    before = keeper.state()
    keeper.host.sysctl(net__ipv6__conf__all__accept_dad=1, net__ipv6__conf__eth0__accept_dad=1)
    # The control: a keeper that has not seen it has it looked for.
    keeper.stop()
    keeper.host.run(*DELETIONS[1])
    keeper.start()
    keeper.as_before(before)
    assert tentative(keeper) == 1
    keeper.eventually(lambda: tentative(keeper) == 0)
    # The kernel tells the keeper of that too.
    time.sleep(0.5)
    keeper.host.run(*DELETIONS[1])
    keeper.as_before(before)
    assert tentative(keeper) == 0
    again = keeper.run("ip_aliases", aliases=ALIASES)
    assert (again["changed"], again["actions"]) == (False, [])


def tentative(host: Kept) -> int:
    """Count the IPv6 aliases that are still looked for on their link."""
    shown = host.host.run("ip", "-6", "-oneline", "address", "show", "dev", "eth0", "scope", "global", "tentative")
    return len(shown.stdout.splitlines())


def dhcp_line(address: str) -> dict[str, list[dict[str, Any]]]:
    """What policy_routing is given for a second line, whose address a DHCP client has put on the interface."""
    way = {"destination": "default", "gateway": "198.51.100.1", "interface": "eth0"}
    tables = [
        *ROUTING["tables"],
        {"id": 1002, "routes": [way]},
        {"id": 254, "routes": [{**way, "metric": 9, "source": address}]},
    ]
    return {"tables": tables, "rules": [*ROUTING["rules"], {"priority": 23020, "source": address, "table": 1002}]}


def test_an_address_replaced_by_others_is_not_restored_and_the_next_run_fixes_its_routes(keeper: Kept) -> None:
    before = keeper.state()

    def show(*what: str) -> str:
        return keeper.host.run("ip", *what).stdout

    keeper.host.address("eth0", "198.51.100.20/24")
    keeper.run("policy_routing", purge=True, **dhcp_line("198.51.100.20"))
    assert "src 198.51.100.20 metric 9" in show("route", "show", "default")
    # As a DHCP client does it; the kernel takes the route with this source along.
    keeper.host.run("ip", "address", "del", "198.51.100.20/24", "dev", "eth0")
    keeper.host.address("eth0", "198.51.100.77/24")
    keeper.eventually(lambda: keeper.said("waiting"))
    (waiting,) = keeper.said("waiting")
    assert "0.0.0.0/0 metric 9 in table 254" in waiting["object"]
    # What is ours comes back all the same, what is not does not.
    keeper.host.run(*DELETIONS[0])
    keeper.eventually(lambda: "192.168.168.1/24" in show("address"))
    assert "198.51.100.20" not in show("address")
    assert "from 198.51.100.20 lookup" in show("rule")
    assert keeper.said("damped") == []
    # The next run.
    done = keeper.run("policy_routing", purge=True, **dhcp_line("198.51.100.77"))
    assert done.get("changed"), done
    keeper.eventually(lambda: keeper.said("waiting") == [])
    assert "src 198.51.100.77 metric 9" in show("route", "show", "default")
    assert "198.51.100.20" not in show("rule") + show("route", "show", "table", "all")
    keeper.run("policy_routing", purge=True, **ROUTING)
    keeper.host.run("ip", "address", "del", "198.51.100.77/24", "dev", "eth0")
    keeper.as_before(before)


def test_a_link_that_goes_down_and_up_has_all_again(keeper: Kept) -> None:
    before = keeper.state()
    keeper.host.run("ip", "link", "set", "dev", "eth0", "down")
    keeper.eventually(lambda: keeper.said("waiting"))
    assert keeper.differences(before) != []
    keeper.host.run("ip", "link", "set", "dev", "eth0", "up")
    keeper.as_before(before)
    keeper.eventually(lambda: keeper.said("waiting") == [])


def test_a_foreign_route_under_the_key_stays_and_is_named(keeper: Kept) -> None:
    before = keeper.state()
    keeper.stop()
    keeper.host.run("ip", "route", "replace", "default", "via", "192.168.168.99", "table", "1001", "protocol", "bird")
    keeper.host.run(*RULE)
    keeper.start()
    assert keeper.state()["rule"] == before["rule"]
    # Just started, it may wait for more: until the addresses of an interface have settled.
    waiting = {entry["object"]: entry["reason"] for entry in keeper.info()["waiting"]}
    assert "bird" in waiting["route 0.0.0.0/0 in table 1001"]
    assert "via 192.168.168.99" in keeper.state()["route"][0]
    keeper.host.run("ip", "route", "del", "default", "table", "1001")
    keeper.as_before(before)


def test_foreign_objects_are_neither_touched_nor_restored(keeper: Kept) -> None:
    before = keeper.state()
    for command in (
        ("ip", "rule", "add", "priority", "77", "from", "192.0.2.77", "table", "77"),
        ("nft", "add", "table", "inet", "somebody"),
        ("ip", "address", "add", "192.168.168.77/24", "dev", "eth0"),
    ):
        keeper.host.run(*command)
    with_foreign = keeper.state()
    keeper.host.run(*RULE)
    keeper.as_before(with_foreign)
    for command in (
        ("ip", "rule", "del", "priority", "77"),
        ("nft", "delete", "table", "inet", "somebody"),
        ("ip", "address", "del", "192.168.168.77/24", "dev", "eth0"),
    ):
        keeper.host.run(*command)
    time.sleep(0.5)
    assert keeper.differences(before) == []


def test_repairs_of_a_rule_deleted_every_100_ms_back_off_and_name_it(keeper: Kept) -> None:
    before = keeper.state()
    loop = keeper.host.start("sh", "-c", f"while :; do {' '.join(RULE)} 2>/dev/null; sleep 0.1; done")
    keeper.eventually(lambda: keeper.said("damped"), 15)
    repairs = keeper.said("repairs")
    keeper.host.run("nft", "flush", "ruleset")
    keeper.eventually(lambda: keeper.state()["nft"] == before["nft"], 1)
    time.sleep(2)
    assert keeper.said("repairs") - repairs < 15  # all of nft's, and at most three more of the rule's
    [damped] = keeper.info()["damped"]
    assert damped["object"] == "IPv4 rule 23010 (source 192.168.168.1, table 1001)"
    assert f"{damped['object']}: another program keeps removing it" in keeper.log()
    loop.kill()
    loop.wait()
    keeper.as_before(before, 10)
    # The next test starts without a delay.
    keeper.stop()


def test_a_killed_keeper_leaves_all_as_it_is(keeper: Kept) -> None:
    before = keeper.state()
    assert keeper.process is not None
    keeper.process.kill()
    keeper.process.wait()
    keeper.process = None
    assert keeper.differences(before) == []
    assert not keeper.info()["running"]
    keeper.host.run(*RULE)
    time.sleep(0.3)
    assert keeper.differences(before) != []  # the control: nobody else puts it back
    keeper.start()
    assert keeper.differences(before) == []


def test_a_keeper_that_was_stopped_goes_on_where_it_was(keeper: Kept) -> None:
    before = keeper.state()
    assert keeper.process is not None
    keeper.process.send_signal(signal.SIGSTOP)
    keeper.host.run(*RULE)
    time.sleep(0.3)
    assert keeper.differences(before) != []
    # Stopped between two looks it does not hold the lock, so a module can go on.
    assert keeper.run("ip_aliases", aliases=ALIASES)["changed"] is False
    keeper.process.send_signal(signal.SIGCONT)
    keeper.as_before(before, 1)


@pytest.mark.parametrize("text", ["{", '{"version": 2, "kind": "policy_routing"}'], ids=["corrupt", "newer"])
def test_a_file_that_cannot_be_used_is_left_as_it_is_and_the_others_apply(keeper: Kept, text: str) -> None:
    before = keeper.state()
    file = "/etc/multihome/policy_routing.json"
    good = keeper.host.run("cat", file).stdout
    keeper.host.run("cp", "/dev/stdin", file, feed=text)
    keeper.eventually(lambda: keeper.said("refused"))
    keeper.host.run(*DELETIONS[0])
    keeper.eventually(lambda: keeper.state()["address"] == before["address"], 1)
    assert keeper.host.run("cat", file).stdout == text
    assert keeper.info()["refused"][0]["file"] == "policy_routing.json"
    keeper.host.run("cp", "/dev/stdin", file, feed=good)
    keeper.eventually(lambda: keeper.said("refused") == [])
    keeper.as_before(before)


def test_objects_removed_by_a_module_stay_removed(keeper: Kept) -> None:
    before = keeper.state()
    assert keeper.run("ip_aliases", aliases=ALIASES[:1], purge=True)["changed"]
    time.sleep(0.5)
    assert not any("fd00:168::1" in line for line in keeper.state()["address"])
    assert keeper.run("ip_aliases", aliases=ALIASES)["changed"]
    keeper.as_before(before)


def test_a_run_without_persist_that_contradicts_is_warned(keeper: Kept) -> None:
    before = keeper.state()
    done = keeper.run("ip_aliases", aliases=ALIASES[:1], purge=True, persist=False)
    assert "set persist: true here too" in str(done["warnings"])
    keeper.as_before(before, 1)


def test_an_interface_that_appears_late_has_its_own_then(keeper: Kept) -> None:
    late = {"address": "10.7.0.1/24", "interface": "late0"}
    keeper.host.run("ip", "link", "add", "late0", "type", "veth", "peer", "name", "late1")
    try:
        keeper.run("ip_aliases", aliases=[late])
        keeper.host.run("ip", "link", "del", "late0")
        keeper.eventually(lambda: keeper.said("waiting"))
        keeper.host.run(*RULE)
        keeper.eventually(lambda: any("23010" in line for line in keeper.state()["rule"]), 1)
        keeper.host.run("ip", "link", "add", "late0", "type", "veth", "peer", "name", "late1")
        keeper.host.run("ip", "link", "set", "dev", "late1", "up")
        keeper.host.run("ip", "link", "set", "dev", "late0", "up")
        keeper.eventually(lambda: any("10.7.0.1/24" in line for line in keeper.state()["address"]))
    finally:
        keeper.run("ip_aliases", aliases=ALIASES, purge=True)
        keeper.host.run("ip", "link", "del", "late0", check=False)


def test_a_full_disk_changes_neither_the_kernel_nor_the_file(keeper: Kept) -> None:
    directory = "/etc/multihome"
    keeper.host.run("cp", "-a", directory, "/run/stored")
    keeper.host.run("mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", directory)
    try:
        keeper.host.run("cp", "-a", "/run/stored/.", directory)
        keeper.host.run("dd", "if=/dev/zero", f"of={directory}/filler", "bs=1k", "count=100", check=False)
        before, files = keeper.state(), keeper.host.run("md5sum", "-b", f"{directory}/ip_aliases.json").stdout
        done = keeper.run("ip_aliases", aliases=[{"address": "192.168.168.99/24", "interface": "eth0"}])
        assert done["failed"]
        assert "No space left on device; the old file is as it was" in done["msg"]
        assert keeper.differences(before) == []
        assert keeper.host.run("md5sum", "-b", f"{directory}/ip_aliases.json").stdout == files
        assert ".new" not in keeper.host.run("ls", "-A", directory).stdout
    finally:
        keeper.host.run("umount", "--lazy", directory)  # the keeper has it open, to hear of changes
        keeper.host.run("rm", "-r", "/run/stored")


def test_at_rest_it_needs_next_to_nothing(keeper: Kept) -> None:
    process = keeper.process
    assert process is not None

    def used() -> float:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split()
        # utime, stime and those of ended children (proc(5)), in ticks of 10 ms.
        return sum(int(field) for field in fields[11:15]) / 100

    before = -1.0
    for _round in range(5):
        if used() == before:
            break  # what it does at its start is over
        before = used()
        time.sleep(2)
    before = used()
    time.sleep(5)
    assert used() == before
    status = Path(f"/proc/{process.pid}/status").read_text()
    resident = int(status.split("VmRSS:")[1].split()[0])
    assert resident < 40 * 1024, f"{resident} kB"
    assert resource.getpagesize() <= resident


def test_a_program_that_hangs_holds_up_nothing_but_its_own_kinds(keeper: Kept, tmp_path: Path) -> None:
    before = keeper.state()
    program = tmp_path / "nft"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    nft = keeper.host.run("sh", "-c", "command -v nft").stdout.strip()
    keeper.host.run("mount", "--bind", str(program), nft)
    try:
        assert keeper.process is not None
        keeper.process.send_signal(signal.SIGHUP)  # a check of everything
        keeper.eventually(lambda: len(keeper.said("waiting") + keeper.said("refused")) >= 3, 25)
        keeper.host.run(*RULE)
        keeper.eventually(lambda: keeper.host.run("ip", "rule", "show").stdout.splitlines() == before["rule"], 12)
        named = {row["file"]: row["reason"] for row in keeper.said("waiting") + keeper.said("refused")}
        assert set(named) == {"nat_rules.json", "forward_policy.json", "connection_marks.json"}
        assert all("did not end within 10 s" in reason for reason in named.values())
    finally:
        keeper.host.run("umount", nft)
    keeper.host.run("nft", "flush", "ruleset")
    keeper.as_before(before, 30)
    keeper.eventually(lambda: keeper.said("waiting") == [], 30)


def test_foreign_routes_that_change_all_the_time_do_not_wake_it(keeper: Kept) -> None:
    process = keeper.process
    assert process is not None

    def used() -> float:
        return int(Path(f"/proc/{process.pid}/schedstat").read_text().split()[0]) / 1e9

    def churn(table: int) -> float:
        route = f"10.250.0.0/16 dev eth0 proto 186 table {table}"
        time.sleep(1)
        before = used()
        keeper.host.run("sh", "-c", f"for n in $(seq 300); do ip route add {route}; ip route del {route}; done")
        time.sleep(0.2)
        return used() - before

    assert churn(254) < 0.01
    # The control: in the table of a stored route they may be in its way.
    assert churn(1001) > 0.01
