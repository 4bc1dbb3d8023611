# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of an error that is confined to one file or kind."""

from __future__ import annotations

from ..errors import MultihomeError

# Longest text of an unexpected error: it may quote a whole file.
_LONGEST = 300


def error_text(error: Exception) -> str:
    """Return the text of an error; an unexpected one is named by its class, and shortened."""
    if isinstance(error, MultihomeError):
        return str(error)
    text = f"unexpected {type(error).__name__}: {error}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
