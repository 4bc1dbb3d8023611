# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checkout's own files, committed or about to be, and copies of them without what set-up and tests built."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from environment import ROOT


def files() -> list[Path]:
    """Paths, relative to the checkout, of all files that git tracks or would track.

    Raises subprocess.CalledProcessError when this is no git checkout.
    """
    # Root may well check what another user has cloned; git would refuse it.
    command = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), "ls-files", "-z"]
    command += ["--cached", "--others", "--exclude-standard", "--deduplicate"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    return [Path(name) for name in listed if name and (ROOT / name).is_symlink() | (ROOT / name).is_file()]


def copy_to(destination: Path) -> None:
    """Have a copy of the files, and nothing else, in a directory; links stay links, modes stay."""
    if destination.exists():
        shutil.rmtree(destination)
    for path in files():
        target = destination / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, target, follow_symlinks=False)
