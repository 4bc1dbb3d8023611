# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write files below a root: the launcher does so before a machine boots, `python3 files.py < JSON` inside of one."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path


def write(root: Path, files: Mapping[str, str | None]) -> None:
    """Write each text to its path below ``root``; where there is None, see that there is no file."""
    for path, text in files.items():
        target = root / path.lstrip("/")
        if text is None:
            target.unlink(missing_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        # What may hold passwords NetworkManager reads only if nobody else can.
        target.touch(0o600 if target.suffix == ".nmconnection" else 0o644)
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path("/"), json.load(sys.stdin))
