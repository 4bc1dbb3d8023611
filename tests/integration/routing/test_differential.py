# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""On a thousand random hosts check mode foretells what a real run then does, and a second run does nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..namespaces import Host
from .hosts import server

PROGRAM = str(Path(__file__).with_name("differential.py"))
CASES = 500  # of each module


@pytest.fixture
def host() -> Iterator[Host]:
    with server() as made:
        yield made


def differential(host: Host, kind: str, *fault: str) -> dict[str, Any]:
    report = json.loads(host.run(sys.executable, PROGRAM, kind, str(CASES), *fault, timeout=300).stdout)
    assert isinstance(report, dict)
    return report


@pytest.mark.parametrize("kind", ["ip_aliases", "policy_routing"])
def test_check_mode_foretells_the_real_run_and_a_second_run_does_nothing(host: Host, kind: str) -> None:
    report = differential(host, kind)
    assert report["difference"] is None
    assert report["cases"] == CASES
    # And there was something to foretell.
    assert report["outcomes"]["changed"] > CASES / 4
    assert report["outcomes"]["ForeignObject"] > CASES / 100


@pytest.mark.parametrize("fault", ["forgetful", "boastful", "restless"])
@pytest.mark.parametrize("kind", ["ip_aliases", "policy_routing"])
def test_a_planner_with_a_fault_is_caught(host: Host, kind: str, fault: str) -> None:
    report = differential(host, kind, fault)
    assert report["difference"] is not None
    assert report["cases"] < 100
