# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of stored state: read, and replaced in one step.

A new file is written and synced before the kernel is changed, so that a full disk changes nothing at all. It replaces
the old one only once its state is applied.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any, Callable, Generic

from ..engine import PlanT, StateT
from ..entries import Options
from ..errors import InvalidInput
from ..reference_texts import references
from .format import KINDS, Refused, Stored, file_name, parse, settings_of
from .persistable import Persistable

if TYPE_CHECKING:
    from .change import Change

DIRECTORY = "/etc/multihome"


class Store(Generic[PlanT]):
    """The stored state of one run of ``engine``. ``options`` are the module's; ``make`` returns an engine for options.

    The methods raise InvalidInput for a file that this version cannot have written, and leave it as it is.
    """

    def __init__(
        self,
        engine: Persistable[StateT, PlanT],
        kind: str,
        options: Options,
        make: Callable[[Options], Persistable[StateT, PlanT]],
        directory: str = DIRECTORY,
        run_directory: str | None = None,
    ) -> None:
        self._engine, self._kind, self._options, self._make = engine, kind, dict(options), make
        self._path = os.path.join(directory, file_name(kind, options))
        self._run_directory = run_directory

    def change(self, plan: PlanT) -> Change | None:
        """Return the change of the file that ``plan`` leads to; None when there is none."""
        before = self._read()
        form = self._engine.to_store(self._engine_of(before), plan)
        texts = references(self._options) | references(before.options if before else ())
        if texts:
            from ..references import without_placeholders  # noqa: PLC0415 - only where there are some

            form = without_placeholders(form, texts)
        settings = settings_of(self._kind, self._options)
        after = Stored(self._kind, {**settings, **form}) or None
        if before == after:
            return None

        # Most runs change nothing. A module is compiled on the host in every run, so this part is left out then.
        from .change import Change  # noqa: PLC0415 - as said
        from .journal import RUN, Journal  # noqa: PLC0415 - as said

        def state_before() -> Stored:
            return Stored(self._kind, {**settings, **self._engine.state_before(plan)})

        journal = Journal(self._run_directory or RUN, self._path, state_before, after.text() if after else None)
        return Change(self._path, before, after, journal)

    def contradicted(self, plan: PlanT) -> str | None:
        """Return a warning if the stored state differs from the one that ``plan`` leads to, else None."""
        if not os.path.lexists(self._path):
            return None
        try:
            change = self.change(plan)
        except InvalidInput as error:
            return str(error)
        if change is None:
            return None
        return f"{self._path} differs, and the keeper restores it; set persist: true here too"

    def _read(self) -> Stored | None:
        try:
            text = load(self._path)
            return None if text is None else parse(text, os.path.basename(self._path))
        except (OSError, Refused) as error:
            remedy = "update the collection, or move the file away; it is not overwritten"
            raise InvalidInput([f"persist: {self._path}: {reason(error)}; {remedy}"]) from error

    def _engine_of(self, stored: Stored | None) -> Persistable[Any, PlanT] | None:
        if stored is None:
            return None
        missing = dict.fromkeys(KINDS[self._kind].lists)
        try:
            # The lists of this run may have no references to addresses of the host, while the stored ones have some.
            return self._make({**self._options, **missing, **stored.options, "purge": False}).as_wanted
        except InvalidInput as error:
            raise InvalidInput([f"persist: {self._path}: {fault}" for fault in error.faults]) from error


def load(path: str) -> str | None:
    """Return a stored file's text, None when there is none; raises OSError, or Refused when others can write it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    with open(descriptor, encoding="utf-8", errors="replace") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise Refused("it is no regular file")
        if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise Refused("others than root may write to it")
        return file.read()


def reason(error: Exception) -> str:
    """Return why a file cannot be used."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
