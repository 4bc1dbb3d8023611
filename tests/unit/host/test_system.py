# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real files in place of /proc/sys and /etc: what is on the disk, in which mode, and what a failure leaves there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import ForeignObject
from ansible_collections.multihome.linux.plugins.module_utils._core.host import kernel_parameters
from ansible_collections.multihome.linux.plugins.module_utils._core.host.kernel_parameter_file import Parameter
from ansible_collections.multihome.linux.plugins.module_utils._core.host.kernel_parameters import System
from ansible_collections.multihome.linux.plugins.modules import kernel_parameters as module

FILE = kernel_parameters.DEFAULT_FILE


@pytest.fixture
def system(tmp_path: Path) -> System:
    (tmp_path / "proc/net/ipv4/conf/eth0.100").mkdir(parents=True)
    (tmp_path / "proc/net/ipv4/tcp_rmem").write_text("4096\t131072\t6291456\n")
    (tmp_path / "proc/net/ipv4/conf/eth0.100/forwarding").write_text("0\n")
    return System(str(tmp_path / "proc"), str(tmp_path))


def test_values_are_read_with_single_spaces_and_written_with_their_line_end(system: System, tmp_path: Path) -> None:
    assert system.get("net/ipv4/tcp_rmem") == "4096 131072 6291456"
    system.set("net/ipv4/tcp_rmem", "1 2 3")
    assert (tmp_path / "proc/net/ipv4/tcp_rmem").read_text().startswith("1 2 3\n")
    assert system.matching("net/ipv4/conf/*/forwarding") == ["net/ipv4/conf/eth0.100/forwarding"]


def test_a_missing_parameter_is_never_made(system: System, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        system.set("net/ipv4/absent", "1")
    assert not (tmp_path / "proc/net/ipv4/absent").exists()


def test_the_file_is_replaced_as_a_whole_and_readable_for_all(system: System, tmp_path: Path) -> None:
    path = tmp_path / FILE.lstrip("/")
    previous = os.umask(0o077)
    try:
        system.save(FILE, "one\n")
        assert path.stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(previous)
    with path.open() as before:
        system.save(FILE, "two\n")
        # Whoever had it open still reads the old one whole: it was renamed over, not written into.
        assert before.read() == "one\n"
    assert path.read_text() == "two\n"
    assert list(path.parent.iterdir()) == [path]
    system.save(FILE, None)
    assert system.load(FILE) is None
    system.save(FILE, None)


def test_a_failed_rename_leaves_the_old_file_and_no_other(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system.save(FILE, "one\n")

    def refuse(*_names: str) -> None:
        raise OSError(28, "")

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(OSError, match="28"):
        system.save(FILE, "two\n")
    path = tmp_path / FILE.lstrip("/")
    assert (path.read_text(), list(path.parent.iterdir())) == ("one\n", [path])


def test_what_a_killed_run_left_is_written_over_and_no_link_is_followed(system: System, tmp_path: Path) -> None:
    path = tmp_path / FILE.lstrip("/")
    path.parent.mkdir(parents=True)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (path.parent / f".{path.name}.new").symlink_to(victim)
    system.save(FILE, "one\n")
    assert (victim.read_text(), path.is_symlink(), list(path.parent.iterdir())) == ("mine", False, [path])
    path.unlink()
    path.symlink_to(victim)
    engine = kernel_parameters.KernelParameterEngine([], system=system)
    with pytest.raises(ForeignObject, match="symbolic link"):
        engine.read()


def test_the_documentation_names_the_fields_and_defaults() -> None:
    options = yaml.safe_load(module.DOCUMENTATION)["options"]
    assert set(options["parameters"]["suboptions"]) == set(Parameter.FIELDS)
    assert options["file"]["default"] == FILE
    # The option confirm is documented by a fragment.
    assert {*options, "confirm"} == set(module.ARGUMENT_SPEC)
