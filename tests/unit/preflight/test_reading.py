# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the programs say that list packet filters: what can be read is, and the rest is named with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.reader import Run, read_filters

NOTHING = '{"nftables": [{"metainfo": {"version": "1.0.6"}}]}'
OPAQUE = (
    '{"nftables": [{"table": {"family": "ip", "name": "filter"}},'
    '{"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "hook": "forward", "policy": "accept"}},'
    '{"rule": {"family": "ip", "table": "filter", "chain": "FORWARD", "expr": [{"xt": null}]}}]}'
)
SAVED = "*filter\n:FORWARD DROP [0:0]\nCOMMIT\n"


def programs(**answers: tuple[int, str, str]) -> tuple[Run, list[str]]:
    """Programs that answer so, and the names of those that were called; those not named are not installed."""
    called: list[str] = []

    def run(arguments: Sequence[str]) -> tuple[int, str, str] | None:
        called.append(arguments[0])
        return answers.get(arguments[0].replace("-", "_"))

    return run, called


@pytest.mark.parametrize(
    ("answer", "feature", "missing"),
    [
        ((0, NOTHING, ""), True, []),
        ((1, "", "Error: cache initialization failed: Protocol not supported\n"), False, []),
        ((1, "", "Operation not permitted (you must be root)\n"), None, ["Operation not permitted (you must be root)"]),
        ((1, "", ""), None, ["nft ended with exit status 1"]),
        (
            (0, '{"nftables": [1]}', ""),
            True,
            ["the output of nft is not understood: 'int' object has no attribute 'items'"],
        ),
    ],
)
def test_whatever_nft_says(tmp_path: Path, answer: tuple[int, str, str], feature: object, missing: list[str]) -> None:
    run, _called = programs(nft=answer, iptables_save=(0, "", ""), ip6tables_save=(0, "", ""))
    features: dict[str, bool | None] = {"NF_TABLES": None}
    not_checked: list[tuple[str, str]] = []
    assert read_filters(run, features, not_checked, str(tmp_path)) == []
    assert features == {"NF_TABLES": feature}
    assert not_checked == [("packet filters", reason) for reason in missing]


def test_iptables_is_asked_only_where_it_knows_more(tmp_path: Path) -> None:
    run, called = programs(nft=(0, NOTHING, ""), iptables_nft_save=(0, SAVED, ""))
    assert read_filters(run, {}, [], str(tmp_path)) == []
    assert called == ["nft"]
    run, called = programs(nft=(0, OPAQUE, ""), iptables_nft_save=(0, SAVED, ""))
    (table,) = read_filters(run, {}, [], str(tmp_path))
    assert called == ["nft", "iptables-nft-save"]
    # The table is told once, by the one who knows it whole.
    assert (str(table), table.chains["FORWARD"].policy) == ("iptables table filter", "drop")


def test_a_program_that_is_missing_leaves_what_nft_told(tmp_path: Path) -> None:
    run, called = programs(nft=(0, OPAQUE, ""))
    missing: list[tuple[str, str]] = []
    (table,) = read_filters(run, {}, missing, str(tmp_path))
    assert called == ["nft", "iptables-nft-save", "iptables-save"]
    assert str(table) == "nft table ip filter"
    assert missing == [("rules of iptables", "iptables-nft-save is not installed")]


def test_legacy_tables_are_read_where_the_kernel_has_them(tmp_path: Path) -> None:
    (tmp_path / "ip_tables_names").write_text("filter\n")
    (tmp_path / "ip6_tables_names").write_text("")
    run, called = programs(nft=(0, NOTHING, ""), iptables_legacy_save=(0, SAVED, ""))
    (table,) = read_filters(run, {}, [], str(tmp_path))
    assert called == ["nft", "iptables-legacy-save"]
    assert (table.tool, str(table)) == ("iptables-legacy", "iptables-legacy table filter")


def test_who_may_not_know_of_legacy_tables_is_told_so(tmp_path: Path) -> None:
    # A directory can be opened by nobody, as the kernel's file by others than root.
    (tmp_path / "ip_tables_names").mkdir()
    missing: list[tuple[str, str]] = []
    assert read_filters(programs(nft=(0, NOTHING, ""))[0], {}, missing, str(tmp_path)) == []
    assert [(subject, "Is a directory" in reason) for subject, reason in missing] == [
        ("iptables-legacy (iptables)", True)
    ]
