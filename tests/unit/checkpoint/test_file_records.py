# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and trees come back with content, mode and extended attributes, and what was absent is absent again."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import sys
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint import file_records

PATHS = ("/etc/multihome", "/etc/sysctl.d/60.conf", "/etc/networkd.conf.d/60.conf", "/usr/lib/multihome")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host with some of the files."""
    (tmp_path / "etc/multihome/hooks.d").mkdir(parents=True)
    (tmp_path / "etc/sysctl.d").mkdir()
    (tmp_path / "etc/multihome/nat.json").write_bytes(b"\xff nat")
    (tmp_path / "etc/multihome/nat.json").chmod(0o640)
    (tmp_path / "etc/multihome/link").symlink_to("nat.json")
    (tmp_path / "etc/sysctl.d/60.conf").write_text("a = 1\n")
    return tmp_path


def tree(root: Path) -> dict[str, tuple[int, bytes | str]]:
    """All that is below a directory."""
    found: dict[str, tuple[int, bytes | str]] = {}
    for path in root.rglob("*"):
        content: bytes | str = path.read_bytes() if path.is_file() else "directory"
        shown = str(path.readlink()) if path.is_symlink() else content
        found[str(path.relative_to(root))] = (path.lstat().st_mode, shown)
    return found


def test_everything_comes_back(root: Path) -> None:
    records, before = file_records.capture(PATHS, str(root)), tree(root)
    shutil.rmtree(root / "etc/multihome/hooks.d")
    (root / "etc/multihome/hooks.d").write_text("now a file")
    (root / "etc/multihome/nat.json").write_text("other")
    (root / "etc/multihome/nat.json").chmod(0o666)
    (root / "etc/multihome/link").unlink()
    (root / "etc/multihome/link").mkdir()
    (root / "etc/multihome/new.json").write_text("new")
    (root / "etc/sysctl.d/60.conf").unlink()
    (root / "etc/networkd.conf.d").mkdir()
    (root / "etc/networkd.conf.d/60.conf").write_text("x")
    (root / "usr/lib/multihome/_core").mkdir(parents=True)
    (root / "usr/lib/multihome/_core/main.py").write_text("x")
    assert len(file_records.differences(records, PATHS, str(root))) == 9
    assert file_records.restore(records, PATHS, str(root)) == []
    assert tree(root) == before
    assert file_records.differences(records, PATHS, str(root)) == []


def test_a_directory_that_others_use_by_now_stays(root: Path) -> None:
    records = file_records.capture(PATHS, str(root))
    (root / "etc/networkd.conf.d").mkdir()
    (root / "etc/networkd.conf.d/60.conf").write_text("x")
    (root / "etc/networkd.conf.d/foreign.conf").write_text("x")
    assert file_records.restore(records, PATHS, str(root)) == []
    assert [path.name for path in (root / "etc/networkd.conf.d").iterdir()] == ["foreign.conf"]


def test_a_directory_that_is_elsewhere(root: Path) -> None:
    (root / "srv").mkdir()
    (root / "srv" / "a").write_text("old")
    (root / "etc" / "linked").symlink_to("../srv")
    records = file_records.capture(["/etc/linked"], str(root))
    (root / "srv" / "a").write_text("new")
    (root / "srv" / "b").write_text("added")
    assert file_records.differences(records, ["/etc/linked"], str(root)) == ["/etc/linked/a", "/etc/linked/b"]
    assert file_records.restore(records, ["/etc/linked"], str(root)) == []
    assert (root / "etc" / "linked").is_symlink()
    assert [(path.name, path.read_text()) for path in (root / "srv").iterdir()] == [("a", "old")]
    # The control: a link deeper in a tree is a link, and nobody follows it.
    assert set(file_records.capture(["/etc"], str(root))) & {"/etc/linked/a"} == set()


def test_extended_attributes_come_back(root: Path) -> None:
    file = root / "etc/multihome/nat.json"
    with contextlib.suppress(OSError):
        os.setxattr(file, "user.label", b"one")
    before = {name: os.getxattr(file, name) for name in os.listxattr(file)}
    records = file_records.capture(PATHS, str(root))
    file.unlink()
    file.write_text("other")
    file_records.restore(records, PATHS, str(root))
    assert {name: os.getxattr(file, name) for name in os.listxattr(file)} == before


def test_a_file_that_cannot_be_restored_is_reported_and_the_others_are(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = file_records.capture(PATHS, str(root))
    (root / "etc/multihome/nat.json").write_text("other")
    (root / "etc/sysctl.d/60.conf").write_text("other")
    rename = os.rename

    def broken(old: str, new: str) -> None:
        if new.endswith("nat.json"):
            raise OSError(30, "Read-only file system")
        rename(old, new)

    monkeypatch.setattr(os, "rename", broken)
    assert file_records.restore(records, PATHS, str(root)) == ["/etc/multihome/nat.json: Read-only file system"]
    assert (root / "etc/sysctl.d/60.conf").read_text() == "a = 1\n"
    assert not list(root.rglob("*.new"))


def test_what_is_compiled_is_left_out(root: Path) -> None:
    (root / "etc/multihome/__pycache__").mkdir()
    (root / "etc/multihome/__pycache__/x.pyc").write_bytes(b"x")
    assert not any("pycache" in path for path in file_records.capture(PATHS, str(root)))


def test_what_is_left_out_is_neither_recorded_nor_restored(root: Path) -> None:
    """Also in a directory that was absent, and with a record of an earlier version that had more."""
    left_out = ("/etc/multihome/hooks.d", "/etc/multihome/drained.json")
    for records in (file_records.capture(PATHS, str(root), left_out), file_records.capture(PATHS, str(root))):
        (root / "etc/multihome/hooks.d/50-page").write_text("a hook of the administrator")
        (root / "etc/multihome/drained.json").write_text("a line that is repaired")
        (root / "etc/multihome/nat.json").write_text("other")
        assert file_records.differences(records, PATHS, str(root), left_out) == ["/etc/multihome/nat.json"]
        assert file_records.restore(records, PATHS, str(root), left_out) == []
        assert (root / "etc/multihome/nat.json").read_bytes() == b"\xff nat"
        assert (root / "etc/multihome/hooks.d/50-page").exists()
        assert (root / "etc/multihome/drained.json").exists()
    absent = {"/etc/multihome": {"type": "absent", "missing": []}}
    assert file_records.restore(absent, PATHS[:1], str(root), left_out) == []
    assert sorted(path.name for path in (root / "etc/multihome").iterdir()) == ["drained.json", "hooks.d"]
    # The control: with nothing that is left out, it is removed.
    assert file_records.restore(absent, PATHS[:1], str(root)) == []
    assert not (root / "etc/multihome").exists()


@pytest.mark.parametrize("immutable", ["nat.json", "."])
def test_an_immutable_file_is_named_with_the_remedy(
    root: Path, monkeypatch: pytest.MonkeyPatch, immutable: str
) -> None:
    records = file_records.capture(PATHS, str(root))
    real = root / "etc/multihome" / immutable
    (root / "etc/multihome/nat.json").write_text("other")
    (root / "etc/sysctl.d/60.conf").write_text("a = 2\n")
    rename = os.rename

    def refuse(old: str, new: str) -> None:
        if Path(new).name == "nat.json":
            raise OSError(errno.EPERM, os.strerror(errno.EPERM), old, None, new)
        rename(old, new)

    def flags(descriptor: int, _request: int, _room: bytes) -> bytes:
        found = os.path.samestat(os.fstat(descriptor), real.stat())
        return (0x80010 if found else 0x80000).to_bytes(4, sys.byteorder) + bytes(4)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", refuse)
        patch.setattr(fcntl, "ioctl", flags)
        [failure] = file_records.restore(records, PATHS, str(root))
    path = str(real.parent if immutable != "." else real).removesuffix("/.")
    named = f"{path}/nat.json" if immutable != "." else path
    assert failure == f"/etc/multihome/nat.json: Operation not permitted; {named} is immutable: chattr -i {named}"
    # The others are restored all the same.
    assert (root / "etc/sysctl.d/60.conf").read_text() == "a = 1\n"
    # The control: an error of another kind names no flag.
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", refuse)
        [failure] = file_records.restore(records, PATHS, str(root))
    assert failure == "/etc/multihome/nat.json: Operation not permitted"
