# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which iptables a host has: its version, its variants, and what is refused rather than mixed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.converge import converge
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import InvalidInput, ReadFailed, Unsupported
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.iptables import Iptables
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.nftables import Nftables
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.selection import iptables_has
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.iptables import IptablesBackend
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.iptables_chains import IptablesState
from ansible_collections.multihome.linux.tests.unit.nat.engines import PROC_NET, iptables_engine
from ansible_collections.multihome.linux.tests.unit.nat.fake_iptables import FakeIptables

FORWARD = {"type": "dnat", "protocol": "tcp", "destination_port": "80", "to_address": "10.0.0.2"}


@pytest.mark.parametrize("name", ["w+n", "wan0'", "wän"])
def test_an_interface_that_iptables_cannot_match_is_refused(name: str) -> None:
    masquerade = {"type": "masquerade", "family": "ipv4", "out_interface": name}
    with pytest.raises(InvalidInput) as raised:
        iptables_engine(FakeIptables(), [FORWARD, {**FORWARD, "in_interface": name}, masquerade])
    reason = "iptables cannot match an interface of this name; letters, digits and ._@~- are allowed"
    assert raised.value.faults == (
        f'rules[1]: in_interface "{name}": {reason}',
        f'rules[2]: out_interface "{name}": {reason}',
    )


def test_a_table_name_that_makes_chain_names_too_long_is_refused() -> None:
    IptablesBackend("sixteen_letters_")
    with pytest.raises(InvalidInput) as raised:
        IptablesBackend("seventeen_letters")
    assert raised.value.faults == (
        'table "seventeen_letters": with iptables at most 16 characters, as chains are named after it',
    )


@pytest.mark.parametrize(
    ("tables", "legacy", "expected"),
    [
        ([("inet", "multihome"), ("ip", "filter"), ("ip6", "filter"), ("inet", "nat"), ("bridge", "nat")], None, False),
        ([("inet", "multihome"), ("ip", "nat")], None, True),
        ([("ip6", "nat")], None, True),
        ([], "mangle\nfilter\n", False),
        ([], "filter\nnat\n", True),
    ],
)
def test_iptables_programs_are_asked_only_where_the_kernel_has_a_nat_table_of_theirs(
    tmp_path: Path, tables: list[tuple[str, str]], legacy: str | None, expected: bool
) -> None:
    if legacy is not None:
        (tmp_path / "ip6_tables_names").write_text(legacy)
    listed = [{"metainfo": {}}, *({"table": {"family": family, "name": name}} for family, name in tables)]

    def nft(arguments: Sequence[str], _text: str | None) -> tuple[int, str, str]:
        assert list(arguments) == ["-j", "list", "tables"]
        return 0, json.dumps({"nftables": listed}), ""

    def program(path: str, _arguments: Sequence[str], _text: str | None) -> tuple[int, str, str]:
        raise AssertionError(f"{path} is started")

    iptables = Iptables(program, str, str(tmp_path))
    assert iptables_has("nat", Nftables("multihome", nft), iptables) == expected


def test_where_nft_may_not_tell_iptables_programs_are_asked(tmp_path: Path) -> None:
    nftables = Nftables("multihome", lambda _arguments, _text: (1, "", "Operation not permitted"))
    assert iptables_has("nat", nftables, Iptables(proc_net=str(tmp_path)))


RULE = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j DROP\nCOMMIT\n"
NO_RULE = "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"


@pytest.fixture
def proc_net(tmp_path: Path) -> Path:
    """/proc/net of a host that has used legacy tables."""
    (tmp_path / "if_inet6").touch()
    (tmp_path / "ip_tables_names").write_text("nat\nfilter\n")
    return tmp_path


def test_rules_in_legacy_tables_are_refused_beside_nf_tables(proc_net: Path) -> None:
    fake = FakeIptables()
    fake.others = {"iptables-legacy-save": RULE}
    with pytest.raises(Unsupported) as raised:
        iptables_engine(fake, [], proc_net=proc_net).read()
    assert str(raised.value) == (
        "iptables (nf_tables): needs all rules of the host in tables of one variant, found rules in legacy tables as "
        "well: iptables-legacy-save shows them; move them to nf_tables, switch to legacy with update-alternatives, or "
        "use backend: nftables"
    )
    fake.others = {"iptables-legacy-save": NO_RULE}
    assert converge(iptables_engine(fake, [FORWARD], proc_net=proc_net), False, contextlib.nullcontext).changed
    fake.others = {}
    with pytest.raises(Unsupported, match="found legacy tables, and no iptables-legacy-save to list their rules"):
        iptables_engine(fake, [], proc_net=proc_net).read()


def test_rules_in_nf_tables_are_refused_beside_legacy(proc_net: Path) -> None:
    fake = FakeIptables("legacy")
    fake.others = {"ip6tables-nft-save": RULE}
    with pytest.raises(Unsupported, match=r"ip6tables \(legacy\): needs .* found rules in nf_tables tables as well"):
        iptables_engine(fake, [], proc_net=proc_net).read()
    fake.others = {"ip6tables-nft-save": NO_RULE, "iptables-nft-save": NO_RULE}
    assert converge(iptables_engine(fake, [FORWARD], proc_net=proc_net), False, contextlib.nullcontext).changed


def test_a_legacy_table_that_is_not_there_is_not_made_by_reading(tmp_path: Path) -> None:
    fake = FakeIptables("legacy")
    fake.fail = {"iptables-save", "ip6tables-save"}
    (tmp_path / "ip_tables_names").write_text("filter\n")
    assert not iptables_engine(fake, [], proc_net=tmp_path).read().here.is_present
    (tmp_path / "ip_tables_names").write_text("nat\n")
    with pytest.raises(ReadFailed, match="iptables-save: iptables-save: cannot allocate memory"):
        iptables_engine(fake, [], proc_net=tmp_path).read()


def test_a_host_without_ipv6_is_not_asked_for_it(tmp_path: Path) -> None:
    fake = FakeIptables()
    fake.fail = {"ip6tables-save"}
    state = iptables_engine(fake, [], proc_net=tmp_path).read().here
    assert isinstance(state, IptablesState)
    assert list(state.families) == [4]


def test_a_nat_table_that_nft_was_used_on_is_refused_unless_the_host_moves_away() -> None:
    class Incompatible(FakeIptables):
        def saved(self, _family: int) -> str:
            return "# Table `nat' is incompatible, use 'nft' tool.\n"

    with pytest.raises(Unsupported, match="iptables: needs a nat table that only iptables has written to"):
        iptables_engine(Incompatible(), []).read()
    incompatible = Incompatible()
    programs = Iptables(incompatible, incompatible.tool, str(PROC_NET))
    assert not IptablesBackend("multihome", programs, in_charge=False).read().is_present


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "iptables: needs 1.8.7 or newer, found none in PATH or the system directories; install the package"),
        ("iptables-restore v1.8.5 (nf_tables)", r"found iptables-restore v1\.8\.5 \(nf_tables\) in /x; install"),
        ("iptables-restore v1.6.1", r"found iptables-restore v1\.6\.1 in /x"),
        ("", "found no version in /x"),
    ],
)
def test_a_missing_or_old_iptables_is_named(answer: str | None, said: str) -> None:
    programs = Iptables(lambda _path, _arguments, _text: (0, answer or "", ""), lambda _name: answer and "/x")
    if answer == "":
        programs = Iptables(lambda _path, _arguments, _text: (1, "", ""), lambda _name: "/x")
    with pytest.raises(Unsupported, match=said):
        programs.variant(4)


def test_the_variant_of_each_family_is_its_own() -> None:
    def answer(path: str, _arguments: Sequence[str], _text: str | None) -> tuple[int, str, str]:
        return 0, f"{path} v1.8.9 ({'legacy' if path.startswith('ip6') else 'nf_tables'})", ""

    programs = Iptables(answer, lambda name: name)
    assert (programs.variant(4), programs.variant(6)) == ("nf_tables", "legacy")
