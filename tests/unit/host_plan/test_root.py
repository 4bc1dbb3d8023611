# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role that runs as an ordinary user ends at its first look, in one sentence."""

from __future__ import annotations

import os
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import InvalidInput, Unsupported
from ansible_collections.multihome.linux.plugins.module_utils._core.host_plan import run


def options(**plan: Any) -> dict[str, Any]:
    """Options with a plan, whose faults would be reported next."""
    return {"plan": plan, "plan_by_mark": {"nonsense": {}}}


def test_an_ordinary_user_is_told_before_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Unsupported) as raised:
        run.answer(options(policy_routing={}))
    assert str(raised.value) == (
        "preflight: needs the rights of root, found those of user 1000; connect as root, or set ansible_become: true"
        " for this host"
    )


@pytest.mark.parametrize(("user", "plan"), [(0, {"policy_routing": {}}), (1000, {})])
def test_control_root_goes_on_and_so_does_anyone_without_a_plan(
    monkeypatch: pytest.MonkeyPatch, user: int, plan: dict[str, Any]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    with pytest.raises(InvalidInput, match="nonsense"):
        run.answer(options(**plan))
