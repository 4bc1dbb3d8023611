# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Missing system packages: root has them installed, anybody else gets one line that says how."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import system_tools


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is all of PATH, with every tool in it, and an apt-get that notes how it is called.

    The first call fails, as it does before the package lists were fetched; installing brings nft.
    """
    for tool in (*system_tools.TOOLS, *system_tools.TOOLS_OF_ROOT):
        (tmp_path / tool).symlink_to("/bin/true")
    apt = tmp_path / "apt-get"
    apt.write_text(
        f'#!/bin/sh\necho "$DEBIAN_FRONTEND $*" >> {tmp_path}/calls\n'
        f"case $1 in update) : > {tmp_path}/fetched ;; install) test -e {tmp_path}/fetched || exit 100\n"
        f"[ -e {tmp_path}/broken ] || : > {tmp_path}/nft; chmod +x {tmp_path}/nft ;; esac\n"
    )
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(system_tools, "SYSTEM_PATH", str(tmp_path))
    library = tmp_path / "library"
    library.mkdir()
    monkeypatch.setattr(system_tools, "FILES", {str(library): "python3-library"})
    return tmp_path


def test_nothing_is_missing_and_nothing_is_done(tools: Path) -> None:
    system_tools.ensure()
    assert not (tools / "calls").exists()


def test_an_ordinary_user_gets_one_line_with_all_that_is_missing(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", str(tools))
    for tool in ("nft", "iptables", "ip"):
        (tools / tool).unlink()
    with pytest.raises(SystemExit) as stopped:
        system_tools.ensure()
    line = str(stopped.value)
    packages = "iproute2 iptables nftables"
    assert line.endswith(f"sudo apt-get install --yes --no-install-recommends {packages}")
    assert "\n" not in line
    assert not (tools / "calls").exists()


def test_a_library_of_the_distribution_is_missed_too(tools: Path) -> None:
    (tools / "library").rmdir()
    assert system_tools.missing_packages() == ["python3-library"]


def test_root_has_the_missing_ones_installed_with_the_lists_fetched_only_when_needed(
    tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tools))
    (tools / "nft").unlink()
    (tools / "chmod").symlink_to("/bin/chmod")
    system_tools.ensure()
    install = "noninteractive install --yes --no-install-recommends nftables"
    assert (tools / "calls").read_text().splitlines() == [install, "noninteractive update", install]


def test_root_is_told_when_the_installation_did_not_bring_the_tool(
    tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tools))
    (tools / "nft").unlink()
    (tools / "broken").touch()
    (tools / "chmod").symlink_to("/bin/true")
    with pytest.raises(SystemExit, match="Still missing after the installation: nftables"):
        system_tools.ensure()


def test_a_python_without_its_environments_is_missing_a_package(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tools.exists()
    monkeypatch.setattr(system_tools, "PYTHON_PARTS", {"no_such_part_of_python": "python3-venv"})
    assert system_tools.missing_packages() == ["python3-venv"]


def test_what_machines_need_is_installed_for_root_alone(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tools))
    (tools / "systemd-nspawn").unlink()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert system_tools.missing_packages() == []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert system_tools.missing_packages() == ["systemd-container"]
    (tools / "apt-get").unlink()
    assert system_tools.missing_packages() == []
