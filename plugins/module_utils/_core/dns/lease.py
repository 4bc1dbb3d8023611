# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of several hosts publishes a domain: a TXT record that the publisher renews. No I/O, and no wall clock.

The record and the addresses are changed in one update, with the record's old text as a prerequisite. So of two hosts
that take over at once, the server accepts one.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

# How often the publisher renews, and for how long a watcher has to see the same text before it takes over. A watcher
# reads every 10 s, so a dead publisher is replaced after 85 s at most.
RENEW_AFTER = 30.0
TAKE_AFTER = 75.0
READ_EVERY = 10.0
TTL = 60


def lease_domain(domain: str) -> str:
    """Return the name of a domain's lease."""
    return f"_multihome.{'_any' + domain[1:] if domain.startswith('*') else domain}"


def is_lease(text: str) -> bool:
    """Tell whether a text is one of a lease."""
    return text.startswith("publisher=")


class Lease:
    """One domain's lease as one host sees it; times are of its monotonic clock."""

    def __init__(self, publisher: str) -> None:
        self._publisher = publisher
        self._seen: Sequence[str] | None = None
        self._since = 0.0

    def may_publish(self, texts: Sequence[str], now: float) -> bool:
        """Tell whether this host may publish, from the texts of the record as they were read just now."""
        if self._seen is None or tuple(texts) != tuple(self._seen):
            self._seen, self._since = tuple(texts), now
        return not texts or self.is_mine(texts) or now - self._since >= TAKE_AFTER

    def is_mine(self, texts: Sequence[str]) -> bool:
        """Tell whether this host holds the lease."""
        return len(texts) == 1 and texts[0].split(" ")[0] == f"publisher={self._publisher}"

    def is_due(self, texts: Sequence[str], now: float) -> bool:
        """Tell whether the record has to be written: it is not this host's, or has to be renewed."""
        return not self.is_mine(texts) or now - self._since >= RENEW_AFTER

    def text(self) -> str:
        """Return a new text, different from each one before."""
        return f"publisher={self._publisher} renewal={secrets.token_hex(8)}"
