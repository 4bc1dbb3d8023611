# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs in files to read: what stands with its owner, what is listed, and what comes of it (golden/*.json)."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.converge import converge
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import ForeignObject
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.alias_engine import AliasEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.engine import RoutingEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.iproute_names import (
    DATABASES,
    Name,
    NameFiles,
    render,
)

from . import hosts
from .fake_kernel import FakeKernel
from .values import OURS

CASES = sorted(Path(__file__).with_name("golden").glob("*.json"))


def host(case: dict[str, Any], settings: Path) -> FakeKernel:
    """Return a host as ``current`` says."""
    current = {kind: [dict(entry) for entry in entries] for kind, entries in case["current"].items()}
    fake = hosts.alias_host(settings, [(entry.pop("owner"), entry) for entry in current.get("aliases", ())])
    hosts.add_routing(
        fake,
        [(entry.pop("owner"), entry.pop("table"), entry) for entry in current.get("routes", ())],
        [(entry.pop("owner"), entry) for entry in current.get("rules", ())],
    )
    if "names" in current:
        # Kept by an earlier run: the tables' names, and with them that of the owner tag.
        names = [Name("table", **name) for name in current["names"]] + [Name("protocol", OURS, "multihome")]
        by_kind = {kind: render(name for name in names if name.kind == kind) for kind in DATABASES}
        NameFiles(fake.files).write(by_kind, OURS)
    return fake


def engine(case: dict[str, Any], fake: FakeKernel) -> Any:
    """Return the engine of the case's list."""
    desired = case["desired"]
    if "aliases" in desired:
        return AliasEngine(desired["aliases"], purge=case["purge"], executor=fake.executor())
    lists = desired["tables"], desired["rules"]
    groups = desired.get("interface_groups")
    return RoutingEngine(*lists, purge=case["purge"], executor=fake.executor(), interface_groups=groups)


def outcome(case: dict[str, Any], settings: Path, check_mode: bool = False) -> dict[str, Any]:
    """Return what a run does: ``actions`` and ``after``, or the ``conflict``."""
    fake = host(case, settings)
    fake.read_only = check_mode
    made = engine(case, fake)
    try:
        done = converge(made, check_mode, contextlib.nullcontext)
    except ForeignObject as error:
        return {"conflict": list(error.conflicts)}
    return {"actions": done.actions(), "after": made.after(done.plan)}


@pytest.mark.parametrize("check_mode", [True, False], ids=["check", "real"])
@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_golden(settings: Path, path: Path, check_mode: bool) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    expected = {name: case[name] for name in ("conflict", "actions", "after") if name in case}
    assert outcome(case, settings, check_mode) == expected


def test_the_cases_differ() -> None:
    """A host that is not as the file says gives another result: the current state is really used."""
    for path in CASES:
        case = json.loads(path.read_text(encoding="utf-8"))
        if any(case["current"].get(kind) for kind in ("routes", "rules")):
            bare = {**case, "current": {"aliases": case["current"]["aliases"]}}
            assert outcome(bare, Path()) != outcome(case, Path())
