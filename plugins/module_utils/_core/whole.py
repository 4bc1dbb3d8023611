# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole engine: the modules that install it, or compare with an installation, are sent with all of it.

Ansible packs everything that a module imports, wherever the import statement is. So whichever module installs the
engine installs the same.
"""

from __future__ import annotations

from types import ModuleType

from .keeper_installation.host import own_code


def code() -> dict[str, str]:
    """Return the texts of the engine, by path below its package."""
    return own_code()


def packed() -> tuple[ModuleType, ...]:
    """Return the modules that import all of it. Nobody calls this: only code imported at run time is compiled."""
    # pylint: disable=import-outside-toplevel
    from .checkpoint import control, in_process, main  # noqa: PLC0415 - see above
    from .dns import engine, name_server_engine  # noqa: PLC0415 - see above
    from .host_plan import run, sequence  # noqa: PLC0415 - see above
    from .info import gather  # noqa: PLC0415 - see above
    from .probes import report  # noqa: PLC0415 - see above

    return (control, in_process, main, engine, name_server_engine, run, sequence, gather, report)
