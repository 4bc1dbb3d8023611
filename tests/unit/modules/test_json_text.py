# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A list of entries may be given as JSON text, with the same result and the same faults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.modules import ip_aliases

from .run_in_process import Runner

ALIASES = [
    {"name": "web, the first", "address": "192.168.168.1/24", "interface": "eth0"},
    {"address": "fd00:168::1/64", "interface": "eth0"},
]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Runner:
    return Runner(ip_aliases, tmp_path, monkeypatch, capsys)


def test_the_text_of_a_list_does_what_the_list_does(host: Runner) -> None:
    listed = host.run(aliases=ALIASES, check=True, diff=True)
    written = host.run(aliases=json.dumps(ALIASES), check=True, diff=True)
    assert listed["changed"] is True
    assert written == listed
    host.run(aliases=json.dumps(ALIASES))
    assert host.run(aliases=ALIASES)["changed"] is False
    assert host.run(aliases="[]", purge=True)["changed"] is True


@pytest.mark.parametrize(
    "entries",
    [
        [{"address": "192.168.168.300/24", "interface": "eth0"}, {"address": "192.168.168.1"}, "text", None],
        [{"address": "192.168.168.1/24", "interface": "eth0", "colour": 1}],
    ],
)
def test_it_has_the_faults_of_the_list(host: Runner, entries: list[Any]) -> None:
    listed, written = host.run(aliases=entries), host.run(aliases=json.dumps(entries))
    assert listed["failed"] is True
    assert len(listed["faults"]) >= len(entries) - 1
    assert written["faults"] == listed["faults"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("192.168.168.1/24", "aliases: neither a list nor the JSON text of one"),
        ("", "aliases: neither a list nor the JSON text of one"),
        ('{"address": "192.168.168.1/24"}', "aliases: the JSON text is not a list"),
        ("[" * 100_000, "aliases: neither a list nor the JSON text of one"),
    ],
)
def test_another_text_is_refused_by_name(host: Runner, text: str, fault: str) -> None:
    result = host.run(aliases=text)
    assert result["failed"] is True
    assert fault in result["msg"]


def test_a_missing_list_is_still_missed(host: Runner) -> None:
    assert "aliases" in host.run()["msg"]
