# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper's side of DNS: starts to publish once a zone is stored. A host without zones does not load any of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..entries import Options
from .report import log

if TYPE_CHECKING:
    from ..dns.service import Service

KIND = "dns_records"


class Publishing:
    """Hands the stored zones over to the threads that publish them.

    ``wake`` is called, in another thread, when the report about a zone changed.
    """

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        self._wake = wake
        self._service: Service | None = None

    def attend(self, stored: Mapping[str, Options]) -> None:
        """Publish these zones, by the names of their files, and no others. Never waits for a server."""
        if self._service is None and stored:
            self._service = _service(self._wake)
        if self._service is not None:
            self._service.attend(stored)

    def report(self) -> list[Mapping[str, Any]]:
        """Return what is known of each zone."""
        return self._service.report() if self._service is not None else []


def _service(wake: Callable[[], None]) -> Service:
    # pylint: disable=import-outside-toplevel
    from ..dns.service import Service  # noqa: PLC0415 - hosts without zones do not pay for it
    from ..health.published import LinesInService  # noqa: PLC0415 - as above

    return Service(LinesInService(), log, wake)
