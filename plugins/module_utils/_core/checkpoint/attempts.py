# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a restoration, each for itself: what one of them raises does not prevent the others."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import MultihomeError
from ..fields import shown


def attempted(work: Callable[[], list[str]]) -> list[str]:
    """Do a part of a restoration; return what could not be restored, also what it raised."""
    try:
        return work()
    except MultihomeError as error:
        return str(error).splitlines()
    except OSError as error:
        return [f"{error.filename}: {error.strerror}" if error.filename else str(error)]
    except Exception as error:  # pylint: disable=broad-exception-caught  # a fault in one part must not lose the others
        return [f"{type(error).__name__}: {shown(str(error))}"]
