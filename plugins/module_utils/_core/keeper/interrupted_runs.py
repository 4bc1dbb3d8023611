# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of modules that were killed while they changed the host: rolled back to the state before them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..rollback import apply_or_restore
from ..store.format import KINDS
from ..store.journal import interrupted
from .error_text import error_text


def roll_back(
    run_directory: str, engines: Mapping[str, Callable[[Mapping[str, Any]], Any]]
) -> Iterator[tuple[str, str]]:
    """Roll back each run whose journal is left, and yield its kind and what remains wrong.

    Call it under the host's lock, before the stored states are checked: objects of that run would stay otherwise, as
    the keeper only restores.
    """
    for run in interrupted(run_directory):
        text = run.fault
        # Record sets are replaced in one step, so that a killed run has changed all of them or none.
        if run.before is not None and run.before.kind in engines:
            options = {**dict.fromkeys(KINDS[run.before.kind].lists), **run.before.options, "purge": True}
            try:
                engine = engines[run.before.kind](options)
                current = engine.read()
                apply_or_restore(engine, engine.plan(current), current)
            except Exception as error:  # pylint: disable=broad-exception-caught  # the states come after it
                text = error_text(error)
        run.remove()
        if run.before is not None or text:
            yield (run.before.kind if run.before else os.path.basename(run.file)), text
