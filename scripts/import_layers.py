# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that the packages of `_core` import only packages below them: the contract is in pyproject.toml.

`python scripts/import_layers.py [DIRECTORY]` takes another directory that holds `_core` (the tests do).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parent.parent
ENGINE = ROOT / "plugins" / "module_utils"


def main(directory: Path) -> int:
    """Return import-linter's exit status for the `_core` in ``directory``: 0 when every contract is kept."""
    # `_core` is checked as a package of its own: its imports are all relative, and never leave it.
    sys.path.insert(0, str(directory))
    os.chdir(ROOT)
    return int(lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ENGINE))
