# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper runs the hooks once for each reply that does not leave by its line."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ansible_collections.multihome.linux.plugins.module_utils._core.health.hooks import Hooks
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper import report
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.replies import ReplyCheck
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.taken_hooks import TakenHooks
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.engine import RoutingEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.reply_model import (
    NOT_ASKED,
    TAKEN,
    Finding,
    Reply,
)

REPLY = Reply("unicom", 1001, "192.168.168.1", ("192.168.168.11",))
FINDING = Finding(TAKEN, REPLY, "192.0.2.1", "a rule takes it", "remove that rule", {"priority": 100})
ENGINE = RoutingEngine(
    [{"id": 1001, "name": "unicom", "routes": [{"destination": "default", "gateway": "192.168.168.11"}]}],
    [{"priority": 23010, "source": "192.168.168.1", "table": 1001}],
)


def test_each_finding_is_passed_on_once_and_again_when_it_comes_back() -> None:
    answers: list[list[Finding]] = [
        [FINDING, Finding(NOT_ASKED, REPLY, "any", "no address", "")],
        [FINDING],
        [],
        [FINDING],
    ]
    passed: list[Finding] = []
    check = ReplyCheck(lambda *_asked: answers.pop(0), passed.append)
    seen = []
    for now in range(4):
        check.check(ENGINE, float(now))
        seen.append(len(passed))
    assert seen == [1, 1, 1, 2]
    assert passed == [FINDING, FINDING]


def test_a_hook_gets_the_event_and_its_facts(tmp_path: Path) -> None:
    directory, out = tmp_path / "hooks.d", tmp_path / "out"
    directory.mkdir()
    hook = directory / "50-note"
    hook.write_text(
        f'#!/bin/sh\necho "$1 $MULTIHOME_LINE $MULTIHOME_FAMILY $MULTIHOME_ADDRESS $MULTIHOME_REASON" > {out}\n'
    )
    hook.chmod(0o755)
    made: list[Hooks] = []

    def make() -> Hooks:
        made.append(Hooks(lambda *_entry: None, str(directory)))
        made[-1].start()
        return made[-1]

    hooks = TakenHooks(make)
    hooks.stop()  # nothing was started
    hooks.taken(FINDING)
    deadline = time.monotonic() + 30
    while not (out.exists() and out.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    hooks.stop()
    assert len(made) == 1
    assert out.read_text().split(maxsplit=4)[:4] == ["taken", "unicom", "ipv4", "192.168.168.1"]
    assert "a rule takes it" in out.read_text()


def test_the_report_has_its_metrics_beside_it_for_everybody(tmp_path: Path) -> None:
    content: dict[str, Any] = {"since": "2026-01-31T12:00:00Z", "repairs": 7}
    report.Report(str(tmp_path)).write(content)
    shown = tmp_path / "keeper.prom"
    assert "multihome_keeper_repairs_total 7" in shown.read_text()
    assert shown.stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "keeper.json").stat().st_mode & 0o777 == 0o600
