# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arming in the process of a module that has the whole engine: it does what it would start the program for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..confirm import Refused
from ..errors import Busy, MultihomeError
from .archive import own_version
from .guard import arm
from .installation import Installation


def is_same_as(program: str) -> bool:
    """Tell whether the program has the code of this process: then each reads what the other one writes.

    Another version of the collection may have installed it, and a module that Ansible sent may have a part of the code.
    """
    version = Installation(program).version()
    return version is not None and version == own_version()


def arm_here(place: str, request: Mapping[str, Any], is_locked: bool) -> None:
    """Do what the program does, see ``arm``; raises Busy and Refused, as a module does for an answer of the program."""
    try:
        arm(place, request, is_locked)
    except (Busy, Refused):
        raise
    except MultihomeError as error:
        raise Refused(str(error)) from error
    except Exception as error:  # pylint: disable=broad-exception-caught  # as where the program fails
        raise Refused(f"cannot take a checkpoint: {type(error).__name__}: {error}; nothing was changed") from error
