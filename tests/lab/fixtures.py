# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labs for pytest. A conftest.py takes the fixtures by importing them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .lab import Lab
from .topology import choose

StartLab = Callable[..., Lab]
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def start_lab() -> Iterator[StartLab]:
    """Return a function that brings up a new lab, given topology.choose's arguments; all end with the module."""
    labs: list[Lab] = []

    def start(**options: Any) -> Lab:
        lab = Lab(f"test-{os.getpid()}-{next(_NUMBERS)}")
        labs.append(lab)
        lab.up(choose(**options))
        return lab

    yield start
    for lab in labs:
        lab.down()
