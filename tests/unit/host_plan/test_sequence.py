# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a step of a role runs, from what earlier steps did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.confirm import is_armed
from ansible_collections.multihome.linux.plugins.module_utils._core.host_plan.sequence import DEEDS, is_wanted
from ansible_collections.multihome.linux.plugins.modules import role_steps

MARK = {"priority": 20010, "mark": "0x1/0xff"}
SOURCE = {"priority": 23010, "source": "192.0.2.1"}


@pytest.mark.parametrize(
    ("did", "result", "expected"),
    [
        ("moved", {}, False),
        ("moved", {"moved": []}, False),
        ("moved", {"moved": [{"address": "192.0.2.1/24"}]}, True),
        ("removed_mark_rules", {}, False),
        ("removed_mark_rules", {"actions": []}, False),
        ("removed_mark_rules", {"actions": [{"op": "remove", "object": MARK}]}, True),
        ("removed_mark_rules", {"actions": [{"op": "add", "object": MARK}]}, False),
        ("removed_mark_rules", {"actions": [{"op": "remove", "object": SOURCE}]}, False),
    ],
)
def test_a_step_runs_if_the_earlier_one_did_what_it_is_there_for(
    did: str, result: dict[str, Any], expected: bool
) -> None:
    step = {"name": "later", "after": {"step": "earlier", "did": did}}
    assert (
        is_wanted(step, {"earlier": result, "another": {"moved": [1], "actions": [{"op": "remove", "object": MARK}]}})
        is expected
    )


def test_a_step_without_a_condition_runs_and_one_after_a_step_that_did_not_run_does_not() -> None:
    assert is_wanted({"name": "first"}, {})
    assert not is_wanted({"name": "later", "after": {"step": "earlier", "did": "moved"}}, {})


def test_the_module_names_the_same_deeds() -> None:
    assert role_steps.ARGUMENT_SPEC["steps"]["options"]["after"]["options"]["did"]["choices"] == list(DEEDS)


@pytest.mark.parametrize(
    ("status", "run", "expected"),
    [
        ({"state": "armed"}, "one", True),
        # Another run, one that has ended, none, and one that cannot be read.
        ({"state": "armed"}, "two", False),
        ({"state": "confirmed"}, "one", False),
        ({"state": "armed"}, "", False),
        ([], "one", False),
        (None, "one", False),
    ],
)
def test_a_run_that_is_repeated_knows_that_it_changed_the_host(
    tmp_path: Path, status: object, run: str, expected: bool
) -> None:
    if status is not None:
        (tmp_path / "one").mkdir()
        (tmp_path / "one" / "status.json").write_text(json.dumps(status))
    assert is_armed(run, str(tmp_path)) is expected
