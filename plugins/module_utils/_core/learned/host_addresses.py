# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the interfaces of this host have now, and what they had since it started.

Earlier values are kept in /run, so that what was configured for them can be removed, whichever program configured it.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..host import files
from ..netlink.rtnetlink import RouteFilter, dump, has_ipv6
from ..references import Learned
from ..routing.executor import Executor
from ..routing.learned_addresses import learned_addresses
from ..routing.model import MAIN_TABLE
from ..routing.rtnetlink_mapping import AF
from ..store.journal import RUN

_NAME = "learned.json"
# So many earlier values of an interface are known.
_REMEMBERED = 8
_DEFAULT = frozenset(((b"", 0),))
_DEFAULTS = [RouteFilter(MAIN_TABLE, None, family, _DEFAULT) for family in AF.values()]
_PARTS = ("addresses", "gateways", "without_gateway", "onlink")


class HostAddresses:
    """Reads the addresses and gateways of this host that do not belong to ``owner``."""

    def __init__(self, owner: int = 109, executor: Executor | None = None, directory: str = RUN) -> None:
        self.executor = executor or Executor()
        self._owner, self._path = owner, os.path.join(directory, _NAME)

    @property
    def has_ipv6(self) -> bool:
        """Whether the kernel has IPv6: lists that refer to both families are for hosts without it too."""
        return has_ipv6()

    def now(self) -> Learned:
        """Return what the interfaces have; of routes only the default ones of the table main are read."""
        snapshot = self.executor.read(
            "address", "route", routes=lambda socket, _names: dump(socket, "route", _DEFAULTS)
        )
        return learned_addresses(snapshot, self._owner)

    def earlier(self) -> dict[str, list[Mapping[str, Sequence[str]]]]:
        """Return what interfaces had, by name, the latest last; what makes no sense is left out."""
        try:
            with open(self._path, encoding="utf-8") as file:
                known: Any = json.load(file)
        except (OSError, ValueError, RecursionError):
            return {}
        found = known.items() if isinstance(known, dict) else ()
        return {name: [each for each in values if _is_state(each)] for name, values in found if _is_list(values)}

    def remember(self, learned: Learned, interfaces: Collection[str]) -> None:
        """Keep what these interfaces have as their latest values, if it is new."""
        known = self.earlier()
        changed = False
        for name in interfaces:
            state = {part: list(learned.get(name, {}).get(part, ())) for part in _PARTS}
            values = known.setdefault(name, [])
            if not any(state.values()) or (values and values[-1] == state):
                continue
            known[name] = [*(each for each in values if each != state), state][-_REMEMBERED:]
            changed = True
        if not changed:
            return
        # Without it, rules of an earlier address stay until the next deployment; they select nothing.
        with contextlib.suppress(OSError):
            files.make_directories(os.path.dirname(self._path), 0o700)
            files.stage(self._path, json.dumps(known) + "\n", 0o600)
            files.replace(self._path)


class AddressesOfACheck(HostAddresses):
    """The same, read once until renew()."""

    _known: Learned | None = None

    def renew(self) -> None:
        """Read again when it is asked for the next time."""
        self._known = None

    def now(self) -> Learned:
        """Return what the interfaces have, as it was first read."""
        if self._known is None:
            self._known = super().now()
        return self._known


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _is_state(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(value.get(part), list) and all(isinstance(each, str) for each in value[part]) for part in _PARTS
    )
