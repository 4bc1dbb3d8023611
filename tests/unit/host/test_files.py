# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that come and go, with the directories that they alone are in."""

from __future__ import annotations

from pathlib import Path

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
