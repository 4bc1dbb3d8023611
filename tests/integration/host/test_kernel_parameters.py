# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""kernel_parameters on a real kernel, as root and in an unprivileged user namespace.

A host of these tests has a network of its own and an /etc/sysctl.d of its own, but shares every other kernel parameter
with the machine: only net.* that belongs to a network namespace may ever be set here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.integration.namespaces import Host, Hosts
from ansible_collections.multihome.linux.tests.integration.run_module import run_module

DIRECTORY = "/etc/sysctl.d"
FILE = f"{DIRECTORY}/60-multihome.conf"
FOREIGN = "# somebody else's\nnet.ipv4.conf.eth0.log_martians=1\n"
HEADER = "# Kept by Ansible, multihome.linux.kernel_parameters: change it there, not here.\n"

LISTED: tuple[dict[str, Any], ...] = (
    {"name": "net.ipv4.conf.eth1.forwarding", "value": 0},
    {"name": "net/ipv4/conf/eth0.100/rp_filter", "value": "2"},
    {"name": "net.ipv4.ip_forward", "value": "1"},
    {"name": "net.ipv6.conf.all.forwarding", "value": "1"},
    {"name": "net.ipv4.tcp_rmem", "value": "4096\t131072   4194304"},
    {"name": "net.ipv4.conf.ppp0.rp_filter", "value": "2", "optional": True},
)


@pytest.fixture(params=["as it comes", "user namespace"])
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    """A host with eth0, eth1 and eth0.100, of which eth0 forwards, and a file of somebody else's."""
    with Hosts("host", user_namespace=True if request.param == "user namespace" else None) as hosts:
        made = hosts["host"]
        made.run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", DIRECTORY)
        for name, peer in (("eth0", "peer0"), ("eth1", "peer1"), ("eth0.100", "peer2")):
            made.run("ip", "link", "add", "name", name, "type", "veth", "peer", "name", peer)
        made.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=0", "net.ipv4.conf.eth0.forwarding=1")
        made.run("tee", f"{DIRECTORY}/70-other.conf", feed=FOREIGN)
        yield made


def run(host: Host, parameters: Sequence[Any] = LISTED, **options: Any) -> dict[str, Any]:
    """Run kernel_parameters; ``check`` and ``diff`` are run_module's, the rest the module's own."""
    modes = {name: options.pop(name) for name in ("check", "diff") if name in options}
    return run_module(
        "kernel_parameters", {"parameters": list(parameters), **options}, netns_prefix=host.prefix, **modes
    )


def value(host: Host, path: str) -> str:
    """A parameter's value in effect."""
    return " ".join(host.run("cat", f"/proc/sys/{path}").stdout.split())


def state(host: Host) -> tuple[str, str]:
    """All that a run could change: the network's parameters, and the directory with every file's mode and text."""
    parameters = host.run("sysctl", "-a", "--pattern", r"^net\.ipv[46]\.(ip_forward|tcp_rmem|conf)").stdout
    files = host.run("find", DIRECTORY, "-type", "f", "-printf", "%p %m %i %T@\n", "-exec", "cat", "{}", ";").stdout
    assert "net.ipv4.conf.eth0.forwarding" in parameters
    assert FOREIGN in files
    return parameters, files


def test_check_real_check_real(host: Host) -> None:
    before = state(host)
    foreseen = run(host, check=True, diff=True)
    assert state(host) == before
    done = run(host, diff=True)
    assert {**foreseen, "invocation": None} == {**done, "invocation": None}
    assert done["changed"] is True
    after = state(host)
    assert after != before
    for check in (True, False):
        again = run(host, check=check)
        assert (again["changed"], again["actions"]) == (False, [])
        assert "before" not in again
        assert state(host) == after


def test_what_is_reported_is_what_was_done(host: Host) -> None:
    result = run(host)
    assert [(action["op"], action["object"]["name"]) for action in result["actions"]] == [
        ("add", "net.ipv4.ip_forward"),
        ("add", "net.ipv6.conf.all.forwarding"),
        ("add", "net/ipv4/conf/eth0.100/rp_filter"),
        ("add", "net.ipv4.conf.eth1.forwarding"),
        ("add", "net.ipv4.conf.ppp0.rp_filter"),
        ("add", "net.ipv4.tcp_rmem"),
    ]
    assert result["skipped_parameters"] == ["net.ipv4.conf.ppp0.rp_filter"]
    assert "skipped" not in result
    assert result["before"] == []
    for entry in result["after"]:
        path = entry["name"] if "/" in entry["name"] else entry["name"].replace(".", "/")
        assert "ppp0" in path or value(host, path) == entry["value"]
    # The interface is not there yet: the file has its parameter for when it is.
    assert "-net.ipv4.conf.ppp0.rp_filter = 2\n" in host.run("cat", FILE).stdout
    assert host.run("stat", "-c", "%a %u", FILE).stdout == "644 0\n"
    assert host.run("ls", "-A", DIRECTORY).stdout.split() == ["60-multihome.conf", "70-other.conf"]


def test_the_file_sets_at_boot_what_is_in_effect_now(host: Host) -> None:
    run(host)
    wanted = state(host)[0]
    text = host.run("cat", FILE).stdout
    fresh = ["ip_forward=0", "conf.eth1.forwarding=1", "conf.eth0/100.rp_filter=0", "tcp_rmem=4096 131072 6291456"]
    host.run("sysctl", "-q", "-w", *(f"net.ipv4.{setting}" for setting in fresh), "net.ipv6.conf.all.forwarding=0")
    assert state(host)[0] != wanted
    host.run("sysctl", "-e", "-q", "-p", FILE)
    assert state(host)[0] == wanted
    # The same lines in another order let ip_forward have the last word over the single interface.
    assert text.startswith(HEADER)
    backwards = "\n".join(reversed(text.splitlines()[1:])) + "\n"
    host.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=0")
    host.run("sysctl", "-e", "-q", "-p", "-", feed=backwards)
    assert value(host, "net/ipv4/conf/eth1/forwarding") == "1"


def test_an_interface_that_is_satisfied_stays_so_when_all_change(host: Host) -> None:
    interface = LISTED[0]
    run(host, [interface])
    result = run(host, [interface, LISTED[2]])
    assert [action["object"]["name"] for action in result["actions"]] == ["net.ipv4.ip_forward"]
    assert (value(host, "net/ipv4/ip_forward"), value(host, "net/ipv4/conf/eth1/forwarding")) == ("1", "0")
    # Without its entry, the interface goes with the rest.
    assert value(host, "net/ipv4/conf/eth0.100/forwarding") == "1"


def test_a_value_changed_by_somebody_else_is_set_again(host: Host) -> None:
    run(host)
    host.run("sysctl", "-q", "-w", "net.ipv4.conf.eth0/100.rp_filter=1")
    result = run(host)
    assert result["actions"] == [{"op": "replace", "object": {"name": LISTED[1]["name"], "value": "2"}}]
    assert result["before"] != result["after"]
    assert value(host, "net/ipv4/conf/eth0.100/rp_filter") == "2"


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        # Both are set last, after all the others.
        ({"name": "net.ipv4.tcp_wmem", "value": "many"}, "refuses this value"),
        ({"name": "net.ipv4.tcp_available_congestion_control", "value": "none"}, "some parameters are read-only"),
    ],
)
def test_a_refused_value_takes_everything_back(host: Host, entry: dict[str, str], reason: str) -> None:
    before = state(host)
    result = run(host, [*LISTED, entry])
    assert result["failed"] is True
    assert result["msg"].startswith(f"parameters[6] ({entry['name']}): set to {entry['value']}: ")
    assert reason in result["msg"]
    assert "undone: net.ipv4.ip_forward = 0; net.ipv6.conf.all.forwarding = 0; " in result["msg"]
    assert result["msg"].endswith("the host is as it was before")
    assert state(host) == before
    # Without the undo of what was carried along, eth0 would not forward any more.
    assert value(host, "net/ipv4/conf/eth0/forwarding") == "1"


def test_a_file_that_cannot_be_written_takes_everything_back(host: Host) -> None:
    before = state(host)
    host.run("mount", "-o", "remount,bind,ro", DIRECTORY)
    result = run(host)
    assert result["failed"] is True
    assert result["msg"].startswith(f"write {FILE}: the file system is read-only here")
    assert state(host) == before
    host.run("mount", "-o", "remount,bind,rw", DIRECTORY)
    assert run(host)["changed"] is True


def test_a_value_that_the_kernel_keeps_differently_is_reported_and_undone(host: Host) -> None:
    before = state(host)
    ports = {"name": "net.ipv4.ip_local_reserved_ports", "value": "8080,8081"}
    result = run(host, [*LISTED, ports])
    assert result["failed"] is True
    assert "still to do: replace kernel parameter net.ipv4.ip_local_reserved_ports = 8080,8081" in result["msg"]
    assert state(host) == before
    assert value(host, "net/ipv4/ip_local_reserved_ports") == ""
    # As the kernel writes it, it is accepted, and so is no port at all.
    assert run(host, [{**ports, "value": "8080-8081"}])["changed"] is True
    assert run(host, [{**ports, "value": ""}])["changed"] is True
    assert run(host, [{**ports, "value": ""}])["changed"] is False
    assert value(host, "net/ipv4/ip_local_reserved_ports") == ""


def test_purge_takes_from_the_file_alone(host: Host) -> None:
    run(host)
    kept = run(host, LISTED[2:3])
    assert kept["changed"] is False
    in_effect = state(host)[0]
    foreseen = run(host, LISTED[2:3], purge=True, check=True)
    done = run(host, LISTED[2:3], purge=True)
    assert foreseen["actions"] == done["actions"]
    assert {action["op"] for action in done["actions"]} == {"remove"}
    assert len(done["actions"]) == 5
    assert host.run("cat", FILE).stdout == f"{HEADER}net.ipv4.ip_forward = 1\n"
    assert [run(host, LISTED[2:3], purge=True)["changed"], run(host, [], purge=True)["changed"]] == [False, True]
    assert host.run("ls", "-A", DIRECTORY).stdout.split() == ["70-other.conf"]
    assert run(host, [], purge=True)["changed"] is False
    parameters, files = state(host)
    assert parameters == in_effect
    assert FOREIGN in files


def test_each_file_is_on_its_own(host: Host) -> None:
    other = f"{DIRECTORY}/61-other.conf"
    run(host, LISTED[2:3])
    run(host, LISTED[3:4], file=other, purge=True)
    assert host.run("cat", FILE, other).stdout == (
        f"{HEADER}net.ipv4.ip_forward = 1\n{HEADER}net.ipv6.conf.all.forwarding = 1\n"
    )


@pytest.mark.parametrize("check", [True, False])
def test_a_file_of_somebody_else_is_refused(host: Host, check: bool) -> None:
    before = state(host)
    result = run(host, file=f"{DIRECTORY}/70-other.conf", check=check)
    assert result["failed"] is True
    assert "70-other.conf: it was not written by this collection" in result["conflicts"][0]
    assert state(host) == before


@pytest.mark.parametrize("check", [True, False])
def test_every_fault_is_reported_at_once_and_nothing_changes(host: Host, check: bool) -> None:
    before = state(host)
    malformed = run(
        host, [*LISTED, {"name": "net..x", "value": 1}, {"name": "net/ipv4/ip_forward", "value": True}], check=check
    )
    assert len(malformed["faults"]) == 2
    absent = run(
        host, [*LISTED, {"name": "net.ipv4.x", "value": 1}, {"name": "net.ipv4.conf", "value": 1}], check=check
    )
    assert [fault.partition(";")[0] for fault in absent["faults"]] == [
        "parameters[6] (net.ipv4.x): no such kernel parameter on this host",
        "parameters[7] (net.ipv4.conf): not one kernel parameter but a directory of them",
    ]
    assert state(host) == before


def test_preflight_foretells_whether_anything_is_to_be_done(host: Host) -> None:
    """The roles skip kernel_parameters where it says no."""

    def pending(parameters: Sequence[Any] = LISTED, purge: bool = False) -> bool:
        options = {"lines": [], "role": "server", "uses_marks": False, "fail_on": "never", "probe_timeout": 0}
        asked = {**options, "kernel_parameters": list(parameters), "purge": purge}
        return bool(run_module("preflight", asked, netns_prefix=host.prefix)["kernel_parameters_pending"])

    assert pending() is True
    run(host)
    assert pending() is False
    assert (pending(LISTED[1:]), pending(LISTED[1:], purge=True)) == (False, True)
    host.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=0")
    assert pending() is True
    run(host)
    # Where it would fail, it has to run, so that it says why.
    assert pending([*LISTED[:5], {**LISTED[5], "optional": False}]) is True
