# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are created and removed, along with their directories."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.host.files import Files


def test_a_file_that_goes_takes_the_directories_along_that_are_empty_without_it(tmp_path: Path) -> None:
    files = Files(str(tmp_path))
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "other").touch()
    files.save("/etc/iproute2/rt_tables.d/multihome.conf", "1001 unicom\n", 0o644)
    files.save("/etc/iproute2/rt_tables.d/multihome.conf", None, 0o644)
    assert [path.name for path in (tmp_path / "etc").iterdir()] == ["other"]


def test_a_directory_with_something_in_it_stays_and_so_does_the_root(tmp_path: Path) -> None:
    files = Files(str(tmp_path))
    for name in ("a", "b"):
        files.save(f"/conf.d/{name}", "text\n", 0o644)
    files.save("/conf.d/a", None, 0o644)
    assert files.names("/conf.d") == ["b"]
    files.save("/conf.d/b", None, 0o644)
    files.save("/conf.d/b", None, 0o644)
    assert tmp_path.is_dir()
    assert files.names("/") == []


@pytest.mark.parametrize(("mode", "directories"), [(0o644, 0o755), (0o600, 0o700)])
def test_a_new_directory_is_as_open_as_its_file_whatever_the_umask_is(
    tmp_path: Path, mode: int, directories: int
) -> None:
    before = os.umask(0o077)
    try:
        Files(str(tmp_path)).save("/etc/iproute2/rt_tables.d/file.conf", "text\n", mode)
    finally:
        os.umask(before)
    assert [(tmp_path / path).stat().st_mode & 0o777 for path in ("etc", "etc/iproute2")] == [directories] * 2
    assert (tmp_path / "etc/iproute2/rt_tables.d/file.conf").stat().st_mode & 0o777 == mode
