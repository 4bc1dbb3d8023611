# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What forward_policy refuses, plans, writes and undoes, without a kernel."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.converge import converge
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import ApplyFailed, InvalidInput, Unsupported
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.nftables_json import read_table
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.selection import Selection
from ansible_collections.multihome.linux.plugins.module_utils._core.forwarding.backend import ForwardBackend, State
from ansible_collections.multihome.linux.plugins.module_utils._core.forwarding.engine import ForwardEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.forwarding.iptables import (
    IptablesForward,
    IptablesState,
    read_filter,
    rules_of,
    transaction,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.forwarding.model import (
    DROP,
    LEAVE,
    Forwarding,
    Passage,
    parse_accept,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.forwarding.nftables import NftablesState, read_state
from ansible_collections.multihome.linux.plugins.module_utils._core.forwarding.nftables import rules_of as nft_rules_of
from ansible_collections.multihome.linux.plugins.module_utils._core.forwarding.nftables import transaction as nft_text
from hypothesis import given
from hypothesis import strategies as st

WEB, LAN = {"mapped_to": "192.168.168.1"}, {"source": "192.168.168.0/24", "out_interface": "wan0"}
WEB6 = {"mapped_to": "fd00:168::1"}
JUMP = '-m comment --comment "multihome.linux" -j ours'


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({}, "needs either mapped_to alone, or both source and out_interface"),
        ({"source": "10.0.0.0/8"}, "needs either mapped_to alone"),
        ({"out_interface": "wan0"}, "needs either mapped_to alone"),
        ({"source": "10.0.0.0/8", "out_interface": "wan+"}, 'out_interface "wan+": a wildcard'),
        ({"source": "10.0.0.0/8", "out_interface": "wan*"}, 'out_interface "wan*": a wildcard'),
        ({**WEB, "out_interface": "wan0"}, "needs either mapped_to alone"),
        ({**WEB, **LAN}, "needs either mapped_to alone"),
        ({"mapped_to": "192.168.168.1/24"}, "has host bits set"),
        ({"mapped_to": "web"}, "not an IP prefix"),
        ({**LAN, "out_interface": "wan*0"}, "nft cannot match an interface"),
        ({**LAN, "out_interface": "a-name-longer-than-15"}, "at most 15 bytes"),
        ({**LAN, "in_interface": "lan0"}, 'unknown field "in_interface"'),
        ("192.168.168.1", "not a dictionary but str"),
        ({"mapped_to": "192.168.168.1/32"}, "accept[0] (192.168.168.1) and accept[1] (192.168.168.1/32): two entries"),
    ],
)
def test_a_fault_is_said_with_its_entry(entry: Any, said: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_accept([WEB, entry])
    assert any(said in fault and "accept[1]" in fault for fault in raised.value.faults), raised.value.faults


def test_every_fault_is_said_at_once() -> None:
    with pytest.raises(InvalidInput) as raised:
        ForwardEngine("reject", [{}, {"mapped_to": "x"}], "no name")
    assert len(raised.value.faults) == 4
    with pytest.raises(InvalidInput, match="with iptables at most 20 characters"):
        IptablesForward("a" * 21, 4)
    assert IptablesForward("a" * 20, 4).chain == "a" * 20 + "-forward"


@dataclass
class FakeBackend:
    """A place in memory. ``others`` says whether other rules drop desired traffic; ``fail`` refuses to write."""

    name: str
    families: tuple[int, ...]
    others: bool = False
    fail: bool = False
    missing: bool = False
    clamps: bool = False
    holds: Forwarding | None = None
    broken: tuple[str, ...] = ()
    said: list[str] = field(default_factory=list)

    @property
    def place(self) -> str:
        """What it is called."""
        return f"{self.name} {self.families}"

    def read(self) -> State:
        """Return what it holds."""
        if self.missing:
            raise Unsupported(self.place, "something")
        drops = self.others

        @dataclass(frozen=True)
        class Found(State):
            def drops(self, desired: Forwarding, /) -> bool:
                return drops and bool(desired.passages)

        return Found(self.holds, self.broken)

    def faults(self, _desired: Forwarding) -> list[str]:
        """Return what it says of everything."""
        return self.said

    def change(self, _current: State, desired: Forwarding | None) -> Any:
        """Return the desired forwarding."""
        return [desired]

    def apply(self, change: Any, _current: State) -> None:
        """Hold what is desired."""
        if self.fail:
            raise ApplyFailed(self.place, "no memory")
        [self.holds], self.broken = change, ()

    def restore(self, before: State) -> list[str]:
        """Hold what was held before."""
        self.holds, self.broken = before.forwarding, before.faults
        return []


def host(**changes: Any) -> list[FakeBackend]:
    """A host with both backends; ``changes`` are those of IPv4's iptables."""
    return [FakeBackend("nftables", (4, 6)), FakeBackend("iptables", (4,), **changes), FakeBackend("iptables", (6,))]


@contextlib.contextmanager
def unlocked() -> Iterator[None]:
    """No lock."""
    yield


def run(
    parts: list[FakeBackend],
    policy: str,
    *accept: Any,
    check: bool = False,
    backend: str = "nftables",
    purge: bool = True,
) -> list[dict[str, Any]]:
    """Run the engine and return its actions."""
    in_use: list[ForwardBackend] = [part for part in parts if part.name == backend]
    others: list[ForwardBackend] = [part for part in parts if part.name != backend]
    selection = Selection(backend, "selected by the test", in_use, others)
    engine = ForwardEngine(policy, accept, purge=purge, selection=selection)
    return converge(engine, check, unlocked).actions()


def held(parts: list[FakeBackend]) -> list[Any]:
    """What each place holds: its policy and how many passages."""
    return [part.holds and (part.holds.policy, len(part.holds.passages)) for part in parts]


def test_nothing_is_configured_where_nothing_would_drop() -> None:
    parts = host()
    assert run(parts, LEAVE, WEB, WEB6, LAN) == []
    assert held(parts) == [None, None, None]


@pytest.mark.parametrize("check", [True, False])
def test_iptables_is_passed_with_either_policy_and_the_policy_is_the_backends(check: bool) -> None:
    parts = host(others=True)
    for policy, expected in ((LEAVE, [None, (LEAVE, 2), None]), (DROP, [(DROP, 3), (LEAVE, 2), None])):
        before = held(parts)
        assert run(parts, policy, WEB, WEB6, LAN, check=check)
        assert held(parts) == (before if check else expected)
        assert check or run(parts, policy, WEB, WEB6, LAN) == []
    parts[1].others = False
    assert run(parts, LEAVE, WEB, WEB6, LAN, check=check) or check
    assert check or held(parts) == [None, None, None]


def test_by_iptables_both_families_drop_also_without_a_passage() -> None:
    parts = host(others=True)
    run(parts, DROP, WEB, backend="iptables")
    assert held(parts) == [None, (DROP, 1), (DROP, 0)]


def test_without_purge_existing_passages_stay() -> None:
    parts = host()
    run(parts, DROP, WEB, LAN)
    (added,) = run(parts, DROP, WEB6, purge=False)
    assert added == {"op": "add", "object": WEB6}
    assert held(parts)[0] == (DROP, 3)
    assert [action["op"] for action in run(parts, DROP, WEB6)] == ["remove", "remove"]


def test_a_refused_step_undoes_the_one_before() -> None:
    parts = host(others=True)
    parts[0].fail = True
    with pytest.raises(ApplyFailed, match=r"no memory\nundone: iptables \(4,\)\nthe host is as it was before"):
        run(parts, DROP, WEB)
    assert held(parts) == [None, None, None]
    parts[0].fail = False
    assert run(parts, DROP, WEB)


def test_what_is_broken_is_replaced_and_nothing_else_told() -> None:
    parts = host()
    run(parts, DROP, WEB)
    parts[0].broken = ("something",)
    assert run(parts, DROP, WEB) == [{"op": "replace", "object": {"table": "nftables (4, 6)"}}]
    assert run(parts, DROP, WEB) == []


def test_a_table_that_iptables_is_not_in_charge_of_matters_only_where_it_has_to_drop() -> None:
    parts = host(missing=True)
    run(parts, DROP, WEB)
    assert held(parts)[0] == (DROP, 1)
    with pytest.raises(Unsupported):
        run(parts, DROP, WEB, backend="iptables")


def test_what_a_place_cannot_say_is_refused_before_anything_is_written() -> None:
    parts = host(others=True, said=["out_interface: no"])
    with pytest.raises(InvalidInput, match="out_interface: no"):
        run(parts, DROP, WEB)
    assert held(parts) == [None, None, None]
    name = Forwarding.of(LEAVE, [Passage(source="10.0.0.0/8", out_interface="wän0")])
    assert "cannot match an interface of this name" in IptablesForward("multihome", 4).faults(name)[0]


ADDRESSES4 = st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.0/8", "0.0.0.0/0"])
ADDRESSES6 = st.sampled_from(["fd00::1", "fd00::2", "fd00::/64", "::/0"])
INTERFACES = st.sampled_from(["wan0", "ppp0"])


def passages(addresses: st.SearchStrategy[str]) -> st.SearchStrategy[Passage]:
    """Any passage of one family."""
    mapped = addresses.map(lambda address: Passage(mapped_to=address))
    return mapped | st.builds(lambda a, name: Passage(source=a, out_interface=name), addresses, INTERFACES)


@given(st.sets(passages(ADDRESSES4)), st.sampled_from([LEAVE, DROP]), st.sampled_from(["", *"12"]))
def test_what_iptables_is_told_is_read_back(found: set[Passage], policy: str, stray: str) -> None:
    wanted = Forwarding.of(policy, found)
    lines = ["*filter", ":FORWARD ACCEPT [0:0]"]
    for line in transaction(IptablesState(), wanted, "ours").splitlines()[1:-1]:
        lines.append(f"[0:0] {line}".replace("-I FORWARD 1", "-A FORWARD") if line[0] == "-" else line)
    state = read_filter([*lines, "COMMIT"], "ours", 4)
    assert (state.forwarding, state.faults) == (wanted, ())
    assert transaction(state, wanted, "ours").count("-I ") == 0
    assert transaction(state, None, "ours").splitlines()[1:-1] == [f"-D FORWARD {JUMP}", "-F ours", "-X ours"]
    if stray:
        # A foreign rule in the own chain, or before the own jump.
        lines.insert(2 if stray == "1" else len(lines), f"-A {'FORWARD' if stray == '1' else 'ours'} -j ACCEPT")
        assert read_filter([*lines, "COMMIT"], "ours", 4).faults


def test_addresses_are_read_back_in_whatever_form_ip6tables_shows_them() -> None:
    wanted = Forwarding.of(
        LEAVE, [Passage.parse({"mapped_to": "::1.2.3.4"}), Passage.parse({"mapped_to": "::5.6.7.8"})]
    )
    written = transaction(IptablesState(), wanted, "ours").splitlines()[1:-1]
    shown = [line.replace("::102:304", "::1.2.3.4/128").replace("::506:708", "::5.6.7.8/128") for line in written]
    assert shown != written
    held = [f"[0:0] {line}".replace("-I FORWARD 1", "-A FORWARD") if line[0] == "-" else line for line in shown]
    state = read_filter(["*filter", ":FORWARD ACCEPT [0:0]", *held, "COMMIT"], "ours", 6)
    assert (state.forwarding, state.faults) == (wanted, ())


def test_a_foreign_rule_with_a_mask_of_gaps_is_a_fault_and_no_failure() -> None:
    held = ["*filter", ":FORWARD ACCEPT [0:0]", ":ours - [0:0]", "-A ours -s 10.0.0.5/255.0.0.255 -o wan0 -j ACCEPT"]
    assert read_filter([*held, "COMMIT"], "ours", 4).faults


def test_the_jump_is_in_the_chain_that_everything_passes_first() -> None:
    docker = [":FORWARD DROP [0:0]", ":DOCKER-USER - [0:0]"]
    for rules, place in (
        ([], "FORWARD"),
        (["-A FORWARD -i docker0 -j DOCKER-USER"], "FORWARD"),
        (["-A FORWARD -j DOCKER-USER"], "DOCKER-USER"),
    ):
        state = read_filter(["*filter", *docker, *rules, "COMMIT"], "ours", 4)
        assert f"-I {place} 1 -m comment --comment" in transaction(state, Forwarding(), "ours")
    # One left in FORWARD from before Docker came is moved; one of two goes.
    left = f"-A FORWARD {JUMP}"
    state = read_filter(["*filter", *docker, ":ours - [0:0]", "-A FORWARD -j DOCKER-USER", left], "ours", 4)
    moves = [line for line in transaction(state, Forwarding(), "ours").splitlines() if line[:2] in ("-I", "-D")]
    assert moves == [f"-D FORWARD {JUMP}", f"-I DOCKER-USER 1 {JUMP}"]
    state = read_filter(["*filter", ":FORWARD DROP [0:0]", ":ours - [0:0]", left, left], "ours", 4)
    moves = [line for line in transaction(state, Forwarding(), "ours").splitlines() if line[:2] in ("-I", "-D")]
    assert moves == [f"-D FORWARD {JUMP}", f"-D FORWARD {JUMP}", f"-I FORWARD 1 {JUMP}"]


@pytest.mark.parametrize(
    ("rules", "drops"),
    [
        ([":FORWARD ACCEPT [0:0]"], False),
        ([":FORWARD DROP [0:0]"], True),
        ([":FORWARD ACCEPT [0:0]", "-A FORWARD -j REJECT --reject-with icmp-host-prohibited"], True),
        ([":FORWARD ACCEPT [0:0]", "-A FORWARD -s 10.9.9.9/32 -j DROP"], False),
        # What is mapped passes, and what begins inside does not; and the other way round.
        ([":FORWARD DROP [0:0]", "-A FORWARD -m conntrack --ctstate DNAT -j ACCEPT"], True),
        ([":FORWARD DROP [0:0]", "-A FORWARD -o wan0 -j ACCEPT"], True),
        (
            [":FORWARD DROP [0:0]", "-A FORWARD -m conntrack --ctstate DNAT -j ACCEPT", "-A FORWARD -o wan0 -j ACCEPT"],
            False,
        ),
        # Our own jump is no reason to have none.
        ([":FORWARD DROP [0:0]", ":ours - [0:0]", "-A FORWARD -j ours", "-A ours -j ACCEPT"], True),
        ([], False),
    ],
)
def test_whether_others_drop_is_judged_without_what_is_ours(rules: list[str], drops: bool) -> None:
    wanted = Forwarding.of(LEAVE, [Passage.parse(WEB), Passage.parse(LAN)])
    assert read_filter(["*filter", *rules, "COMMIT"], "ours", 4).drops(wanted) == drops
    assert not read_filter(["*filter", *rules, "COMMIT"], "ours", 4).drops(Forwarding())


def test_rules_accept_established_connections_first_and_drop_the_rest_last() -> None:
    wanted = Forwarding.of(DROP, [Passage.parse(WEB), Passage.parse(LAN)])
    assert rules_of(wanted) == [
        "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-m conntrack --ctstate DNAT --ctreplsrc 192.168.168.1 -j ACCEPT",
        "-i wan0 -j DROP",
        "-s 192.168.168.0/24 -o wan0 -j ACCEPT",
        "-j DROP",
    ]
    assert nft_rules_of(wanted) == [
        "ct state established,related counter accept",
        "ct reply ip saddr 192.168.168.1 ct status dnat counter accept",
        'ip saddr 192.168.168.0/24 iifname != { "wan0" } oifname "wan0" counter accept',
        "counter",
    ]


def test_servers_are_one_rule_however_many_there_are() -> None:
    many = Forwarding.of(DROP, (Passage(mapped_to=f"10.0.{n // 250}.{n % 250 + 1}") for n in range(1000)))
    assert len(nft_rules_of(many)) == 3


def test_the_nft_table_goes_with_the_chain_unless_it_is_shared() -> None:
    current = NftablesState(Forwarding(DROP))
    assert nft_text(current, None, "multihome") == "delete table inet multihome\n"
    assert nft_text(NftablesState(Forwarding(DROP), is_shared=True), None, "multihome").splitlines() == [
        "flush chain inet multihome forward",
        "delete chain inet multihome forward",
    ]
    assert nft_text(NftablesState(), None, "multihome") == ""
    chain = {"name": "forward", "type": "filter", "hook": "forward", "prio": 0, "policy": "accept"}
    found = read_state(read_table([{"chain": chain}, {"map": {"name": "of somebody"}}]))
    assert (found.forwarding, found.is_shared) == (Forwarding(DROP), True)
    assert found.faults == ("chain forward is not what it must be",)
    assert not read_state(read_table([{"chain": chain}])).is_shared
    assert read_state(read_table([{"chain": chain}, {"chain": {"name": "other"}}])).is_shared
