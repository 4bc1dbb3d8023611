# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ip_aliases, from options to result, on the fake kernel."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.lock import exclusive
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import RequestFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.routing import rtnetlink_encoding
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.alias_engine import AliasEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Alias
from ansible_collections.multihome.linux.plugins.modules import ip_aliases

from .run_in_process import Runner

ALIASES = [
    {"name": "unicom", "address": "192.168.168.1/24", "interface": "eth0"},
    {"name": "unicom, IPv6", "address": "fd00:168::1/64", "interface": "eth0"},
]
STANDING = [{"address": "192.168.168.1/24", "interface": "eth0"}, {"address": "fd00:168::1/64", "interface": "eth0"}]

NOT_ROOT = "Operation not permitted (run as root (CAP_NET_ADMIN is needed))"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Runner:
    return Runner(ip_aliases, tmp_path, monkeypatch, capsys)


def test_check_real_check_real(host: Runner) -> None:
    foreseen = host.run(aliases=ALIASES, check=True, diff=True)
    done = host.run(aliases=ALIASES, diff=True)
    for result in (foreseen, done):
        assert result["changed"] is True
        assert result["actions"] == [{"op": "add", "object": entry} for entry in STANDING]
        assert result["before"] == []
        assert result["after"] == STANDING
        assert result["diff"] == {
            "before": "",
            "after": "address 192.168.168.1/24 on eth0\naddress fd00:168::1/64 on eth0\n",
        }
    sent = len(host.fake.sent)
    for check in (True, False):
        again = host.run(aliases=ALIASES, check=check)
        assert again["changed"] is False
        assert again["actions"] == []
        assert not {"before", "after", "diff"} & set(again), "an unchanged run carries no lists"
    assert len(host.fake.sent) == sent, "and sends nothing"


def test_an_unchanged_run_in_diff_mode_shows_what_stands(host: Runner) -> None:
    host.run(aliases=ALIASES)
    again = host.run(aliases=ALIASES, diff=True)
    assert again["changed"] is False
    assert again["before"] == again["after"] == STANDING
    assert again["diff"]["before"] == again["diff"]["after"]


def test_what_moves_to_another_interface_is_there_before_it_leaves_the_old_one_and_neighbours_are_told(
    host: Runner,
) -> None:
    host.run(aliases=ALIASES)
    there = [{**entry, "interface": "eth1"} for entry in STANDING]
    kept = host.run(aliases=there, purge=True, keep_moved=True)
    assert kept["actions"] == [{"op": "add", "object": entry} for entry in there]
    assert kept["moved"] == STANDING
    assert host.fake.announced == [], "nobody is sent away from where it still stands"
    # Nobody looks for an IPv6 address that this host has: it would find itself.
    flags = {m.get("IFA_ADDRESS"): m.header["flags"] for _op, m in host.fake.sent[-2:]}
    assert flags == {"192.168.168.1": 0, "fd00:168::1": 0x02}
    again = host.run(aliases=there, purge=True, keep_moved=True)
    assert (again["changed"], again["moved"]) == (False, STANDING)
    gone = host.run(aliases=there, purge=True)
    assert gone["actions"] == [{"op": "remove", "object": entry} for entry in STANDING]
    assert gone["moved"] == []
    assert sorted(map(str, host.fake.announced)) == [
        "address 192.168.168.1/24 on eth1",
        "address fd00:168::1/64 on eth1",
    ]


def test_what_goes_for_good_is_not_kept_as_if_it_moved(host: Runner) -> None:
    host.run(aliases=ALIASES)
    gone = host.run(aliases=ALIASES[:1], purge=True, keep_moved=True)
    assert gone["actions"] == [{"op": "remove", "object": STANDING[1]}]
    assert (gone["moved"], host.fake.announced) == ([], [])


def test_a_check_run_that_would_write_is_found_out(host: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    class Careless(AliasEngine):
        def plan(self, current: Any) -> Any:
            plan = super().plan(current)
            self.apply(plan, current)
            return plan

    monkeypatch.setattr(ip_aliases, "AliasEngine", Careless)
    with pytest.raises(AssertionError, match="sent to a kernel that is only to be read"):
        host.run(aliases=ALIASES, check=True)


def test_without_purge_the_rest_stays_with_purge_only_ours_goes(host: Runner) -> None:
    theirs = Alias.parse({"address": "192.168.168.99/24", "interface": "eth0"})
    host.fake.carry_out("add", rtnetlink_encoding.encode_alias(theirs, 2, 12))
    host.run(aliases=ALIASES)
    assert host.run(aliases=ALIASES[:1])["changed"] is False
    purged = host.run(aliases=ALIASES[:1], purge=True)
    assert purged["actions"] == [{"op": "remove", "object": STANDING[1]}]
    assert purged["after"] == STANDING[:1]
    emptied = host.run(aliases=[], purge=True)
    assert emptied["actions"] == [{"op": "remove", "object": STANDING[0]}]
    assert emptied["after"] == []
    assert [m.get("IFA_LOCAL") for m in host.fake.addresses] == ["192.168.168.99"]


def test_another_owner_tag_is_another_owner(host: Runner) -> None:
    host.run(aliases=ALIASES, protocol=77)
    assert [m.get("IFA_PROTO") for m in host.fake.addresses] == [77, 77]
    assert host.run(aliases=[], purge=True)["changed"] is False
    assert host.run(aliases=[], purge=True, protocol=77)["changed"] is True


def test_every_fault_at_once_and_nothing_changed(host: Runner) -> None:
    host.fake.read_only = True
    result = host.run(aliases=[*ALIASES, {"address": "192.168.168.300/24", "interface": ""}, {}], check=True)
    assert result["failed"] is True
    assert result["faults"] == [
        "aliases[2] (192.168.168.300/24): not an IP address",
        'aliases[2] (192.168.168.300/24): interface "": not a printable, non-empty string',
        "aliases[3]: address is missing",
        "aliases[3]: interface is missing",
    ]
    assert result["msg"].splitlines() == result["faults"]


@pytest.mark.parametrize("check", [True, False])
def test_an_interface_that_does_not_exist(host: Runner, check: bool) -> None:
    result = host.run(aliases=[*ALIASES, {"address": "10.0.0.1/24", "interface": "eth7"}], check=check)
    assert result["faults"] == [
        'aliases[2] (10.0.0.1/24): interface "eth7" does not exist on this host; it has eth0, eth1, lo'
    ]
    assert host.fake.addresses == []


def test_a_foreign_address_in_the_way(host: Runner) -> None:
    theirs = Alias.parse({"address": "192.168.168.1/24", "interface": "eth0", "label": "eth0:9"})
    host.fake.carry_out("add", rtnetlink_encoding.encode_alias(theirs, 2, 18))
    result = host.run(aliases=[{**ALIASES[0], "label": "eth0:1"}])
    (conflict,) = result["conflicts"]
    assert conflict == (
        "aliases[0] (unicom): address 192.168.168.1/24 on eth0 is in its place and belongs to protocol 18 "
        "(keepalived): {'address': '192.168.168.1/24', 'interface': 'eth0', 'label': 'eth0:9'}; "
        "remove it or change the entry, it is not overwritten"
    )
    assert host.fake.sent == []


def test_a_refusal_of_the_kernel(host: Runner) -> None:
    host.fake.faults[2] = RequestFailed(errno.EPERM)
    result = host.run(aliases=ALIASES)
    assert result["failed"] is True
    assert "exception" not in result
    assert result["msg"].splitlines() == [
        f"aliases[1] (unicom, IPv6): cannot add address fd00:168::1/64 on eth0: {NOT_ROOT}",
        "undone: add address 192.168.168.1/24 on eth0",
        "the host is as it was before",
    ]
    assert host.fake.addresses == []


def test_another_run_at_the_same_time(host: Runner) -> None:
    with exclusive(str(host.lock)):
        assert "has held" in host.run(aliases=ALIASES)["msg"]
        # Who only looks does not wait.
        assert host.run(aliases=ALIASES, check=True)["changed"] is True
    assert host.run(aliases=ALIASES)["changed"] is True


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"aliases": None},
        {"aliases": "x"},
        {"aliases": 5},
        {"aliases": {"a": 1}},
        {"aliases": [None]},
        {"aliases": ["x"]},
        {"aliases": [[]]},
        {"aliases": [{}]},
        {"aliases": [{"address": 5, "interface": 5}]},
        {"aliases": [{"address": ["10.0.0.1/24"], "interface": {"a": 1}}]},
        {"aliases": [{"address": "10.0.0.1/24", "interface": "eth0", "metric": 5}]},
        {"aliases": [{"address": "10.0.0.1/24", "interface": "eth0\n"}]},
        {"aliases": [{"address": "10.0.0.1/24", "interface": "\N{SNOWMAN}"}]},
        {"aliases": [{"address": "10.0.0.1/24", "interface": "eth0"}] * 2},
        {"aliases": [], "protocol": 0},
        {"aliases": [], "protocol": 256},
        {"aliases": [], "protocol": "mine"},
        {"aliases": [], "purge": "perhaps"},
    ],
    ids=repr,
)
def test_whatever_is_asked_for_is_refused_in_words(host: Runner, options: dict[str, Any]) -> None:
    result = host.run(**options)
    assert result["failed"] is True
    assert result["msg"]
    assert "Traceback" not in str(result)
    assert host.fake.sent == []


def test_five_thousand_aliases(host: Runner) -> None:
    many = [{"address": f"10.{n // 250}.{n % 250}.1/24", "interface": "eth1"} for n in range(1000)]
    many += [{"address": f"fd00::{n:x}/64", "interface": "eth1"} for n in range(1, 4001)]
    assert len(host.run(aliases=many, check=True)["actions"]) == 5000
