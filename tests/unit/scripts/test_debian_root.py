# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roots of Debian releases: made once, whole or not at all, from where the machine's own packages come from."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import debian_root
from debian_root import NotAtHand, Root

INDEX = """http://mirror.example/debian/ bookworm
http://mirror.example/debian/ bookworm-updates
http://security.example/ bookworm-security
"""
OPTIONS = """Acquire::Check-Date "false";
Acquire::http::Proxy "http://proxy.example:3128";
Acquire::cdrom::mount "/media/cdrom/";
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Stand in for apt and mmdebstrap on a Debian 12; return how mmdebstrap was called, one word a line."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (tmp_path / "index").write_text(INDEX)
    (tmp_path / "options").write_text(OPTIONS)
    scripts = {
        "apt-get": f"case $1 in update) mv {tmp_path}/later {tmp_path}/index ;; *) cat {tmp_path}/index ;; esac",
        "apt-config": f"cat {tmp_path}/options",
        "unshare": f'printf "%s\\n" "$1" > {tmp_path}/unshared; shift; exec "$@"',
        "mmdebstrap": f'printf "%s\\n" "$@" >> {tmp_path}/calls\n'
        f'for word; do case $word in {tmp_path}/*) mkdir "$word"; : > "$word/file" ;; esac; done\n'
        f"test ! -e {tmp_path}/broken",
    }
    for name, content in scripts.items():
        program = programs / name
        program.write_text(f"#!/bin/sh\n{content}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setattr(debian_root, "DIRECTORY", tmp_path / "debian")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    own = {"ID": "debian", "VERSION_CODENAME": "bookworm"}
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: own)
    return lambda: (tmp_path / "calls").read_text().splitlines()


def test_what_is_mounted_meanwhile_is_nobody_elses_to_see(calls: Callable[[], list[str]], tmp_path: Path) -> None:
    Root("trixie").made()
    assert calls()
    assert (tmp_path / "unshared").read_text() == "--mount\n"


def test_packages_come_from_where_the_machines_own_come_from(calls: Callable[[], list[str]]) -> None:
    made = Root("trixie").made()
    assert [path.name for path in made.iterdir()] == ["file"]
    assert calls() == [
        "--quiet",
        "--variant=extract",
        "--include=iptables,nftables",
        '--aptopt=Acquire::Check-Date "false";',
        '--aptopt=Acquire::http::Proxy "http://proxy.example:3128";',
        "trixie",
        f"{made}.unfinished",
        "deb http://mirror.example/debian/ trixie main",
        "deb http://mirror.example/debian/ trixie-updates main",
        "deb http://security.example/ trixie-security main",
    ]


def test_lists_that_were_never_fetched_are_fetched(calls: Callable[[], list[str]], tmp_path: Path) -> None:
    (tmp_path / "index").rename(tmp_path / "later")
    (tmp_path / "index").touch()
    Root("trixie").made()
    assert "deb http://mirror.example/debian/ trixie main" in calls()


def test_no_debian_leaves_the_address_to_mmdebstrap(
    calls: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"ID": "ubuntu", "VERSION_CODENAME": "noble"})
    made = Root("trixie").made()
    assert calls()[-2:] == ["trixie", f"{made}.unfinished"]


def test_each_set_of_packages_is_made_once_however_many_ask(calls: Callable[[], list[str]]) -> None:
    asked = [Root("trixie", ("dbus", "systemd"), whole=True), Root("trixie", ("systemd", "dbus"), whole=True)]
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(Root.made, asked * 4))) == 1
    assert calls().count("--variant=minbase") == 1
    others = [Root("trixie", ("dbus",), whole=True), Root("trixie", ("dbus", "systemd")), Root("sid", ("dbus",))]
    assert len({root.made() for root in [*asked, *others]}) == 4


def test_what_fails_leaves_nothing_and_is_tried_again(calls: Callable[[], list[str]], tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    with pytest.raises(subprocess.CalledProcessError):
        Root("trixie").made()
    assert calls()
    assert not [path for path in (tmp_path / "debian").iterdir() if path.is_dir()]
    # Nor does what a killed run has left get in the way.
    (tmp_path / "broken").unlink()
    Root("trixie").directory.with_suffix(".unfinished").mkdir()
    assert [path.name for path in Root("trixie").made().iterdir()] == ["file"]


def test_an_ordinary_user_is_told_what_root_has_to_do_and_uses_what_is_there(
    calls: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    root = Root("trixie", ("systemd",), whole=True)
    with pytest.raises(NotAtHand, match=r"as root: python scripts/debian_root\.py --whole trixie systemd$"):
        root.made()
    with pytest.raises(SystemExit, match="as root:"):
        debian_root.main(["trixie"])
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    debian_root.main(["--whole", "trixie", "systemd"])
    assert capsys.readouterr().out == f"{root.directory}\n"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert root.made() == root.directory
    assert calls().count("trixie") == 1
