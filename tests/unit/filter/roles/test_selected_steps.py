# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The message of a role about steps that tags leave out."""

from __future__ import annotations

import pytest
from ansible.playbook.block import Block
from ansible.playbook.play import Play
from ansible.playbook.task import Task
from ansible_collections.multihome.linux.plugins.plugin_utils._roles.selected_steps import (
    CHECK,
    Around,
    Tags,
    left_out,
)

ALL = ["all"]


@pytest.mark.parametrize("only", [ALL, ["tagged"], ["untagged"], ["edge"], ["multihome_preflight", "other"]])
@pytest.mark.parametrize("skip", [[], ALL, ["edge"], ["multihome"], ["other"], ["tagged"]])
@pytest.mark.parametrize("own", [["edge"], sorted(CHECK), ["edge", "other"]])
def test_tags_select_as_ansible_does(only: list[str], skip: list[str], own: list[str]) -> None:
    task = Task(block=Block(play=Play()))
    task.tags = own
    expected = task.evaluate_tags(only_tags=set(only), skip_tags=set(skip), all_vars={})
    assert Tags(only, skip).select(own) == expected


@pytest.mark.parametrize(
    ("only", "skip", "own", "includes", "said", "fault"),
    [
        (ALL, [], [], [], None, False),
        (["edge"], [], ["edge"], [], None, False),
        (["edge"], [], [], [["edge"]], "Add apply: {tags: [edge]} to include_role", True),
        # The include runs always, and the user did not mean the role.
        (["edge"], [], [], [["always"]], None, False),
        (["edge"], [], [], [], None, False),
        (["multihome_preflight"], [], [], [], "leaves out the changes of ip_aliases and keeper", False),
        (["multihome_configure"], [], [], [], None, False),
        (ALL, ["multihome_preflight"], [], [], "set multihomed_web_preflight: false", True),
        (ALL, ["multihome_configure"], [], [], "neither checked nor changed", False),
        (ALL, ["edge"], ["edge"], [], None, False),
    ],
)
def test_each_step_that_is_left_out_is_named(
    only: list[str], skip: list[str], own: list[str], includes: list[list[str]], said: str | None, fault: bool
) -> None:
    found = left_out("multihomed_web", Tags(only, skip), Around(own, includes), True, ["ip_aliases", "keeper"])
    assert (found is None) == (said is None)
    if found and said:
        assert said in found.text
        assert found.fault == fault


def test_a_role_without_preflight_does_not_need_it() -> None:
    tags = Tags(ALL, ["multihome_preflight"])
    # The changes have this tag alone where the role does not check.
    assert left_out("multihomed_web", tags, Around(), False, []) is None


def test_a_check_that_finds_nothing_leaves_out_nothing() -> None:
    assert left_out("multihomed_web", Tags(["multihome_preflight"]), Around(), True, []) is None
