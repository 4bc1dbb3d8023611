# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why the command cannot do what it was asked to do."""

from __future__ import annotations

from ..errors import MultihomeError


class CommandFailed(MultihomeError):
    """The message has the reason and, after a semicolon, the remedy."""
