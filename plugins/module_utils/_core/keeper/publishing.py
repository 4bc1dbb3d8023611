# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper's side of DNS: starts to publish once a zone is stored. A host without zones does not load any of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..entries import Options
from ..reference_texts import references
from .report import log

if TYPE_CHECKING:
    from ..dns.service import Service
    from ..references import Learned

KIND = "dns_records"


class Publishing:
    """Hands the stored zones over to the threads that publish them.

    ``wake`` is called, in another thread, when the report about a zone changed.
    """

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        self._wake = wake
        self._service: Service | None = None
        self._learned: Learned = {}

    def attend(self, stored: Mapping[str, Options], learned: Callable[[], Learned], moved: bool) -> None:
        """Publish these zones, by the names of their files, and no others. Never waits for a server.

        ``learned`` returns what the interfaces have; it is asked when they may have ``moved``, where a zone refers to
        them.
        """
        if self._service is None and stored:
            self._service = _service(self._wake)
        if self._service is not None:
            if moved and any(references(options) for options in stored.values()):
                self._learned = learned()
            self._service.attend(stored, self._learned)

    def report(self) -> list[Mapping[str, Any]]:
        """Return what is known of each zone."""
        return self._service.report() if self._service is not None else []


def _service(wake: Callable[[], None]) -> Service:
    # pylint: disable=import-outside-toplevel
    from ..dns.service import Service  # noqa: PLC0415 - hosts without zones do not pay for it
    from ..health.published import LinesInService  # noqa: PLC0415 - as above
    from ..learned.host_addresses import HostAddresses  # noqa: PLC0415 - as above

    return Service(LinesInService(), log, wake, HostAddresses())
