# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine on a stand-in for the host: check mode writes nothing, a fault undoes all, the particular one holds."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.converge import Outcome, converge
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import (
    ApplyFailed,
    ForeignObject,
    InvalidInput,
    VerifyFailed,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.host.kernel_parameter_file import HEADER
from ansible_collections.multihome.linux.plugins.module_utils._core.host.kernel_parameters import (
    DEFAULT_FILE,
    KernelParameterEngine,
)
from ansible_collections.multihome.linux.tests.unit.host.fake_system import FakeSystem
from hypothesis import given
from hypothesis import strategies as st

VALUES = {
    "net/ipv4/ip_forward": "0",
    "net/ipv4/conf/all/forwarding": "0",
    "net/ipv4/conf/default/forwarding": "0",
    # One interface forwards already: setting ip_forward and putting it back again would lose that.
    "net/ipv4/conf/eth0/forwarding": "1",
    "net/ipv4/conf/eth1/forwarding": "0",
    "net/ipv4/conf/eth0.100/rp_filter": "1",
    "net/ipv4/tcp_rmem": "4096 131072 6291456",
}
LISTED = [
    {"name": "net.ipv4.conf.eth1.forwarding", "value": "0"},
    {"name": "net.ipv4.ip_forward", "value": 1},
    {"name": "net/ipv4/conf/eth0.100/rp_filter", "value": "2"},
    {"name": "net.ipv4.tcp_rmem", "value": "4096\t131072\t4194304"},
]
HELD = f"{HEADER}\nnet.ipv4.ip_forward = 1\nnet.core.old = 5\n"


def run(
    system: FakeSystem, parameters: list[Any], check: bool = False, purge: bool = False
) -> tuple[Outcome[Any], KernelParameterEngine]:
    """Run the engine as the module does."""
    engine = KernelParameterEngine(parameters, purge=purge, system=system)
    system.read_only = check
    return converge(engine, check, contextlib.nullcontext), engine


@pytest.mark.parametrize("text", [None, HELD])
@pytest.mark.parametrize("purge", [False, True])
def test_check_real_check_real(text: str | None, purge: bool) -> None:
    system = FakeSystem(VALUES, text)
    foreseen, engine = run(system, LISTED, check=True, purge=purge)
    done, real = run(system, LISTED, purge=purge)
    assert foreseen.actions() == done.actions() != []
    assert engine.before(foreseen.plan) == real.before(done.plan)
    assert engine.after(foreseen.plan) == real.after(done.plan)
    assert engine.lines(foreseen.plan) == real.lines(done.plan)
    assert [run(system, LISTED, check=check, purge=purge)[0].changed for check in (True, False)] == [False, False]
    again = run(system, LISTED, check=True, purge=purge)
    assert again[1].before(again[0].plan) == real.after(done.plan)


def test_values_and_file_are_as_listed_and_the_single_interface_has_the_last_word() -> None:
    system = FakeSystem(VALUES)
    run(system, LISTED)
    assert system.values == {
        "net/ipv4/ip_forward": "1",
        "net/ipv4/conf/all/forwarding": "1",
        "net/ipv4/conf/default/forwarding": "1",
        "net/ipv4/conf/eth0/forwarding": "1",
        "net/ipv4/conf/eth1/forwarding": "0",
        "net/ipv4/conf/eth0.100/rp_filter": "2",
        "net/ipv4/tcp_rmem": "4096 131072 4194304",
    }
    assert system.files == {
        DEFAULT_FILE: f"{HEADER}\n"
        "net.ipv4.ip_forward = 1\n"
        "net/ipv4/conf/eth0.100/rp_filter = 2\n"
        "net.ipv4.conf.eth1.forwarding = 0\n"
        "net.ipv4.tcp_rmem = 4096 131072 4194304\n"
    }


@given(st.permutations(LISTED))
def test_the_order_of_the_list_changes_nothing(parameters: list[Any]) -> None:
    usual, other = FakeSystem(VALUES), FakeSystem(VALUES)
    assert run(usual, LISTED)[0].actions() == run(other, parameters)[0].actions()
    assert usual.state() == other.state()


@pytest.mark.parametrize(
    ("live", "text", "operation"),
    [
        ("0", None, "add"),
        ("1", None, "add"),
        ("0", f"{HEADER}\nnet.ipv4.ip_forward = 1\n", "replace"),
        ("1", f"{HEADER}\nnet.ipv4.ip_forward = 0\n", "replace"),
        ("1", f"{HEADER}\n-net.ipv4.ip_forward = 1\n", "replace"),
        ("1", f"{HEADER}\nnet/ipv4/ip_forward = 1\n", None),
    ],
)
def test_satisfied_only_when_file_and_live_value_agree(live: str, text: str | None, operation: str | None) -> None:
    system = FakeSystem({"net/ipv4/ip_forward": live}, text)
    outcome, _engine = run(system, [{"name": "net.ipv4.ip_forward", "value": "1"}])
    assert [action["op"] for action in outcome.actions()] == ([operation] if operation else [])
    assert system.values == {"net/ipv4/ip_forward": "1"}
    # A satisfied file is not even written anew in another layout.
    assert system.writes == 0 or system.files[DEFAULT_FILE] == f"{HEADER}\nnet.ipv4.ip_forward = 1\n"


def test_what_is_not_listed_stays_unless_purged_and_its_live_value_stays_always() -> None:
    values = {**VALUES, "net/core/old": "5"}
    system = FakeSystem(values, HELD)
    outcome, engine = run(system, LISTED[1:2])
    assert "net.core.old = 5\n" in system.files[DEFAULT_FILE]
    assert {"name": "net.core.old", "value": "5"} in engine.after(outcome.plan)
    outcome, engine = run(system, LISTED[1:2], purge=True)
    assert outcome.actions() == [{"op": "remove", "object": {"name": "net.core.old", "value": "5"}}]
    assert engine.after(outcome.plan) == [{"name": "net.ipv4.ip_forward", "value": "1"}]
    assert system.files == {DEFAULT_FILE: f"{HEADER}\nnet.ipv4.ip_forward = 1\n"}
    run(system, [], purge=True)
    assert system.files == {}
    assert (system.values["net/core/old"], system.values["net/ipv4/ip_forward"]) == ("5", "1")


@pytest.mark.parametrize("purge", [False, True])
def test_an_optional_parameter_that_is_missing_is_skipped_and_its_line_stays(purge: bool) -> None:
    text = f"{HEADER}\nnet.ipv4.ip_forward = 0\n-net.ipv4.conf.ppp0.rp_filter = 2\n"
    system = FakeSystem(VALUES, text)
    absent = {"name": "net.ipv4.conf.ppp0.rp_filter", "value": "2", "optional": True}
    outcome, _engine = run(system, [absent, LISTED[1]], purge=purge)
    assert outcome.plan.missing == ("net.ipv4.conf.ppp0.rp_filter",)
    assert [action["object"]["name"] for action in outcome.actions()] == ["net.ipv4.ip_forward"]
    assert system.files[DEFAULT_FILE] == text.replace("forward = 0", "forward = 1")
    # There, it is set like any other.
    system.values["net/ipv4/conf/ppp0/rp_filter"] = "0"
    outcome, _engine = run(system, [absent, LISTED[1]], purge=purge)
    assert (outcome.plan.missing, system.values["net/ipv4/conf/ppp0/rp_filter"]) == ((), "2")


def test_an_optional_parameter_of_an_interface_that_is_missing_is_written_to_the_file() -> None:
    absent = {"name": "net.ipv4.conf.ppp0.rp_filter", "value": "2", "optional": True}
    module = {"name": "net.netfilter.nf_conntrack_max", "value": "2", "optional": True}
    system = FakeSystem(VALUES, None)
    outcome, engine = run(system, [absent, module, LISTED[1]])
    assert outcome.plan.missing == ("net.ipv4.conf.ppp0.rp_filter", "net.netfilter.nf_conntrack_max")
    assert system.files[DEFAULT_FILE] == f"{HEADER}\nnet.ipv4.ip_forward = 1\n-net.ipv4.conf.ppp0.rp_filter = 2\n"
    assert absent in engine.after(outcome.plan)
    outcome, engine = run(system, [absent, module, LISTED[1]])
    assert outcome.actions() == []
    # Another value is written, and purged it goes.
    outcome, _engine = run(system, [{**absent, "value": "0"}, LISTED[1]])
    assert [action["op"] for action in outcome.actions()] == ["replace"]
    assert "-net.ipv4.conf.ppp0.rp_filter = 0\n" in system.files[DEFAULT_FILE]
    outcome, _engine = run(system, [LISTED[1]], purge=True)
    assert [action["op"] for action in outcome.actions()] == ["remove"]
    assert "ppp0" not in system.files[DEFAULT_FILE]


@pytest.mark.parametrize("text", [None, HELD])
def test_a_fault_at_any_write_leaves_the_host_as_it_was(text: str | None) -> None:
    whole = FakeSystem(VALUES, text)
    run(whole, LISTED, purge=True)
    # ip_forward, eth1 that it carried along, rp_filter, tcp_rmem, the file.
    assert whole.writes == 5
    for refused in range(1, whole.writes + 1):
        system = FakeSystem(VALUES, text)
        system.refuse = refused
        with pytest.raises(ApplyFailed, match="the host is as it was before") as failure:
            run(system, LISTED, purge=True)
        assert system.state() == FakeSystem(VALUES, text).state()
        assert "permission denied; run as root" in failure.value.reason
        assert bool(failure.value.undone) == (refused > 1)
        assert failure.value.failed.startswith("write /etc" if refused == whole.writes else "parameters[")


def test_what_cannot_be_undone_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    system = FakeSystem(VALUES)
    unbroken = system.set

    def one_way(path: str, value: str) -> None:
        if (path, value) == ("net/ipv4/conf/eth0.100/rp_filter", "1") or path == "net/ipv4/tcp_rmem":
            raise PermissionError(1, "")
        unbroken(path, value)

    monkeypatch.setattr(system, "set", one_way)
    with pytest.raises(ApplyFailed, match="NOT undone, repair by hand") as failure:
        run(system, LISTED)
    assert [text.partition(";")[0] for text in failure.value.not_undone] == [
        "net/ipv4/conf/eth0.100/rp_filter = 1: permission denied"
    ]
    # The rest is put back all the same.
    assert system.values == {**VALUES, "net/ipv4/conf/eth0.100/rp_filter": "2"}


def test_a_value_that_the_kernel_changes_is_reported_and_undone() -> None:
    system = FakeSystem({**VALUES, "net/ipv4/x": "7"})
    before = system.state()
    with pytest.raises(VerifyFailed, match=r"still to do: replace kernel parameter net\.ipv4\.x = rounded"):
        run(system, [{"name": "net.ipv4.x", "value": "rounded"}, *LISTED])
    assert system.state() == before


def test_a_refused_value_names_the_entry() -> None:
    system = FakeSystem({**VALUES, "net/ipv4/x": "7"})
    with pytest.raises(ApplyFailed) as failure:
        run(system, [LISTED[1], {"name": "net.ipv4.x", "value": "refused"}])
    assert failure.value.failed == "parameters[1] (net.ipv4.x): set to refused"
    assert "refuses this value" in failure.value.reason
    assert failure.value.undone[0] == "net.ipv4.ip_forward = 0"


@pytest.mark.parametrize("check", [True, False])
def test_all_missing_parameters_are_named_and_nothing_is_written(check: bool) -> None:
    system = FakeSystem(VALUES)
    absent = [{"name": "net.ipv4.x", "value": 1}, {"name": "net.ipv4", "value": 1}]
    with pytest.raises(InvalidInput) as refused:
        run(system, [*absent, LISTED[1]], check=check)
    assert [fault.partition(";")[0] for fault in refused.value.faults] == [
        "parameters[0] (net.ipv4.x): no such kernel parameter on this host",
        "parameters[1] (net.ipv4): not one kernel parameter but a directory of them",
    ]
    assert system.writes == 0


@pytest.mark.parametrize("check", [True, False])
def test_a_file_that_somebody_else_wrote_is_not_overwritten(check: bool) -> None:
    system = FakeSystem(VALUES, "net.ipv4.ip_forward = 0\n")
    with pytest.raises(ForeignObject, match=r"60-multihome\.conf: it was not written by this collection"):
        run(system, LISTED, check=check)
    assert system.writes == 0


def test_every_fault_of_the_list_and_the_file_is_said_at_once() -> None:
    with pytest.raises(InvalidInput) as refused:
        KernelParameterEngine(
            [
                {"name": "net.ipv4.ip_forward"},
                {"name": "net..x", "value": True},
                {"name": "net.ipv4.x", "value": 1, "optional": "perhaps", "when": 1},
                {"name": "net.ipv4.y", "value": 1},
                {"name": "net/ipv4/y", "value": 2},
                7,
            ],
            file="/etc/sysctl.conf",
        )
    twice = "two entries for one kernel parameter net.ipv4.y"
    assert refused.value.faults == (
        "parameters[0] (net.ipv4.ip_forward): value is missing",
        "parameters[1] (net..x): name \"net..x\": not a kernel parameter: a part of its path is empty, '.' or '..'",
        'parameters[1] (net..x): value "true": neither text nor a whole number; write 1 for yes and 0 for no',
        'parameters[2] (net.ipv4.x): optional "perhaps": neither true nor false',
        'parameters[2] (net.ipv4.x): unknown field "when"; known are name, optional, value',
        f"parameters[3] (net.ipv4.y) and parameters[4] (net/ipv4/y): {twice}; keep one of them",
        "parameters[5]: not a dictionary but int",
        'file "/etc/sysctl.conf": not a file directly in /etc/sysctl.d with a name that ends in .conf',
    )


@pytest.mark.parametrize(
    "file",
    [
        "60-multihome.conf",
        "/etc/sysctl.d/60-multihome",
        "/etc/sysctl.d/../x.conf",
        "/etc/sysctl.d/a/x.conf",
        "/etc/sysctl.d/.conf",
        "/etc/sysctl.d/.x.conf",
        "/tmp/x.conf",
        "/etc/sysctl.d/x y.conf",
    ],
)
def test_other_files_are_refused(file: str) -> None:
    with pytest.raises(InvalidInput, match="not a file directly in"):
        KernelParameterEngine([], file=file)
    assert KernelParameterEngine([], file="/etc/sysctl.d/99-x.y.conf").file == "/etc/sysctl.d/99-x.y.conf"


def test_the_difference_names_what_is_in_effect_and_what_the_file_says() -> None:
    system = FakeSystem({"net/ipv4/a": "1", "net/ipv4/b": "1", "net/ipv4/c": "3"}, f"{HEADER}\nnet.ipv4.b = 2\n")
    outcome, engine = run(system, [{"name": f"net.ipv4.{name}", "value": 3} for name in "abc"], check=True)
    assert engine.lines(outcome.plan) == {
        "before": [
            f"net.ipv4.a = 1  (not in {DEFAULT_FILE})",
            f"net.ipv4.b = 1  (in {DEFAULT_FILE}: 2)",
            f"net.ipv4.c = 3  (not in {DEFAULT_FILE})",
        ],
        "after": ["net.ipv4.a = 3", "net.ipv4.b = 3", "net.ipv4.c = 3"],
    }
    assert engine.before(outcome.plan) == [{"name": "net.ipv4.b", "value": "1"}]
