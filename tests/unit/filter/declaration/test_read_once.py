# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A declaration that was read is read again only when it is another one."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.plugin_utils._declaration import checks
from ansible_collections.multihome.linux.plugins.plugin_utils._input.faults import DeclarationError
from ansible_collections.multihome.linux.tests.unit.filter import declarations


def test_an_equal_declaration_is_not_read_again() -> None:
    first = checks.read_declaration(declarations.seed())
    assert checks.read_declaration(copy.deepcopy(declarations.seed())) is first


def test_any_difference_is_seen() -> None:
    first = checks.read_declaration(declarations.seed())
    changed = declarations.seed()
    changed["lines"][0]["weight"] = 7
    second = checks.read_declaration(changed)
    assert (first.lines[0].weight, second.lines[0].weight) == (4, 7)
    # True and 1 are equal in Python, and not here.
    changed["lines"][0]["id"] = True
    with pytest.raises(DeclarationError):
        checks.read_declaration(changed)


def test_a_list_that_contains_itself_is_refused_as_before() -> None:
    endless: dict[str, Any] = dict(declarations.seed())
    endless["lines"].append(endless["lines"])
    assert checks.text_of(endless) is None
    with pytest.raises(DeclarationError):
        checks.read_declaration(endless)
