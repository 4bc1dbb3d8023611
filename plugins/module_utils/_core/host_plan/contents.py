# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The code that the keeper's installation consists of: all of this package, so that all modules agree on it."""

from __future__ import annotations

from types import ModuleType

from ..keeper_installation.host import own_code


def code() -> dict[str, str]:
    """Return the texts of the whole engine, by path below its package."""
    return own_code()


def everything() -> tuple[ModuleType, ...]:
    """Return modules that together import the whole engine.

    Ansible packs everything that a module imports, wherever the import statement is; but only code imported at run time
    is compiled, and nobody calls this.
    """
    # The reason for all of them is above.
    from .. import confirm  # noqa: PLC0415
    from ..dns import engine as dns_engine  # noqa: PLC0415
    from ..health import effective, hooks, loop, metrics, monitor, published  # noqa: PLC0415
    from ..host import networkd  # noqa: PLC0415
    from ..info import gather  # noqa: PLC0415
    from ..keeper import main  # noqa: PLC0415
    from ..probes import icmp_echo, report, targets  # noqa: PLC0415
    from . import run  # noqa: PLC0415

    return (
        confirm,
        dns_engine,
        effective,
        hooks,
        loop,
        metrics,
        monitor,
        published,
        networkd,
        gather,
        main,
        icmp_echo,
        report,
        targets,
        run,
    )
