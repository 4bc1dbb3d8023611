# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The code that the keeper's installation consists of, the same for each module that asks."""

from __future__ import annotations

from types import ModuleType

from ..keeper_installation.host import own_code


def code() -> dict[str, str]:
    """Return the texts of the installed programs and of all that they import, by path below the engine's package."""
    return own_code()


def packed() -> ModuleType:
    """Return the module that imports all of it: preflight runs on the host from the installed code.

    Ansible packs everything that a module imports, wherever the import statement is; but only code imported at run time
    is compiled, and nobody calls this.
    """
    from . import run  # noqa: PLC0415 - see above

    return run
