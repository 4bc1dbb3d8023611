# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The translations of other programs that take connections of the entries, as the packet filters of this host are now.

The modules and the keeper look for them with this, preflight with foreign_translations() and facts of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..filters.reader import Run, read_filters, run
from .foreign import LATER, Foreign, foreign_translations
from .model import NatRule


def taken_translations(rules: Sequence[NatRule], backend: str, table: str, runner: Run = run) -> list[Foreign]:
    """Return the third-party translations that are, or may be, asked before ``rules``, which ``backend`` carries out.

    Raises MultihomeError or OSError when the packet filters cannot be read.
    """
    found = foreign_translations(read_filters(runner, {}, []), rules, backend, table)
    return [one for one in found if one.order != LATER]
