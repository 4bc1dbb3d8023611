# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module itself, its options and results, on nft in memory; in check mode a write is an error."""

from __future__ import annotations

import contextlib
import gc
import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.multihome.linux.plugins.module_utils import _module
from ansible_collections.multihome.linux.plugins.module_utils._core.nat import engine as nat_engine
from ansible_collections.multihome.linux.plugins.module_utils._core.nat import taken
from ansible_collections.multihome.linux.plugins.modules import nat_rules
from ansible_collections.multihome.linux.tests.unit.nat.engines import selection
from ansible_collections.multihome.linux.tests.unit.nat.fake_nft import FakeNft

Run = Callable[..., dict[str, Any]]
WEB = {
    "name": "web",
    "type": "dnat",
    "protocol": "tcp",
    "destination": "203.0.113.10",
    "destination_port": "80",
    "to_address": "192.168.168.1",
}
SELECTED = {"backend": "nftables", "backend_reason": "selected by the test"}
LINE = {"type": "masquerade", "family": "ipv4", "out_interface": "wan0"}


@pytest.fixture
def nft() -> FakeNft:
    return FakeNft()


@pytest.fixture
def run(run_whole: Run) -> Run:
    """Without what the module was called with."""
    return lambda **options: {k: v for k, v in run_whole(**options).items() if k != "invocation"}


@pytest.fixture
def run_whole(nft: FakeNft, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setattr(nat_engine, "select", lambda _wanted, table, *_more: selection(nft, table))
    monkeypatch.setattr(_module, "exclusive", contextlib.nullcontext)
    monkeypatch.setattr(taken, "read_filters", lambda *_arguments: [])

    def once(check: bool = False, diff: bool = False, verbosity: int = 0, **options: Any) -> dict[str, Any]:
        nft.read_only = check
        ansible = {"_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_verbosity": verbosity}
        with patch_module_args({**options, **ansible}), pytest.raises(SystemExit):
            nat_rules.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return once


def test_check_run_check_run(run: Run, nft: FakeNft) -> None:
    options = {"rules": [WEB, LINE], "purge": True}
    foretold = run(check=True, **options)
    assert nft.tables == {}
    done = run(**options)
    assert foretold == done
    assert done == {
        "changed": True,
        **SELECTED,
        "actions": [{"op": "add", "object": WEB}, {"op": "add", "object": LINE}],
        "before": [],
        "after": [WEB, LINE],
        "taken_translations": [],
    }
    for check in (True, False):
        assert run(check=check, **options) == {"changed": False, **SELECTED, "actions": []}
    assert len(nft.written) == 1


def test_the_diff_shows_what_differs_and_nothing_else(run: Run) -> None:
    run(rules=[WEB, LINE])
    shown = run(check=True, diff=True, rules=[LINE, {**WEB, "to_address": "192.168.168.2"}])["diff"]
    lines = [set(shown[side].splitlines()) for side in ("before", "after")]
    assert [len(side) for side in (lines[0] - lines[1], lines[1] - lines[0])] == [1, 1]
    assert "192.168.168.2" in (lines[1] - lines[0]).pop()
    unchanged = run(diff=True, rules=[LINE, WEB])
    assert unchanged["diff"]["before"] == unchanged["diff"]["after"] != ""


def test_ports_may_be_numbers_and_the_table_another(run: Run, nft: FakeNft) -> None:
    run(rules=[{**WEB, "destination_port": 80, "to_port": 8080}], table="other", backend="nftables")
    assert list(nft.tables) == ["other"]
    assert "192.168.168.1" in str(nft.tables["other"].maps)


def test_every_field_may_look_like_a_number(run: Run) -> None:
    numbers = {**WEB, "name": 443, "destination_port": 443, "in_interface": 100, "source_port": 1024}
    texts = {field: str(value) for field, value in numbers.items()}
    assert run(rules=[numbers])["after"] == [texts]
    assert not run(rules=[texts])["changed"]


def test_an_unchanged_run_sends_no_entry_back_unless_ansible_shows_what_modules_are_called_with(
    run_whole: Run,
) -> None:
    run_whole(rules=[WEB])
    quiet, shown = (run_whole(rules=[WEB], verbosity=level) for level in (2, 3))
    assert "203.0.113.10" not in json.dumps(quiet)
    assert quiet["invocation"]["module_args"]["table"] == "multihome"
    assert shown["invocation"]["module_args"]["rules"] == [WEB]


def test_garbage_is_collected_again_after_a_run_in_a_process_that_goes_on(run: Run) -> None:
    run(rules=[WEB])
    assert gc.isenabled()


def test_faults_are_a_list_and_nothing_is_read_or_written(run: Run, nft: FakeNft) -> None:
    nft.tables = {"multihome": None}  # type: ignore[dict-item]  # reading this would be an error of its own
    result = run(rules=[{**WEB, "destination_port": "0"}, {"type": "snat"}, WEB, WEB], table="1")
    assert result["failed"]
    assert [fault.partition(":")[0] for fault in result["faults"]] == [
        "rules[0] (web)",
        "rules[1]",
        "rules[2] (web) and rules[3] (web)",
        'table "1"',
    ]
    assert result["msg"] == "\n".join(result["faults"])


def test_an_unknown_option_or_backend_is_refused(run: Run) -> None:
    assert "port" in run(rules=[{**WEB, "port": "80"}])["msg"]
    assert "ipfw" in run(rules=[], backend="ipfw")["msg"]
    assert "rules" in run()["msg"]


def test_a_transaction_that_fails_says_why(run: Run, nft: FakeNft) -> None:
    nft.fail = True
    result = run(rules=[WEB])
    assert result["failed"]
    assert "Cannot allocate memory" in result["msg"]
    assert nft.tables == {}


def test_packet_filters_that_cannot_be_read_after_a_change_are_a_warning(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> list[object]:
        raise OSError("no such program")

    monkeypatch.setattr(taken, "read_filters", fail)
    done = run(rules=[WEB])
    assert done["changed"]
    assert "taken_translations" not in done
    assert "translations of other programs are not known: no such program" in str(done["warnings"])
