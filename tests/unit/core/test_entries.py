# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collector of faults: all parts are parsed, and their faults are reported at once."""

from __future__ import annotations

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.entries import Faults
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import InvalidInput


def wrong(*faults: str) -> int:
    raise InvalidInput(faults)


def test_parts_without_faults_give_their_values() -> None:
    faults = Faults()
    number, text = faults.take(lambda: 1), faults.take(lambda: "a")
    faults.refuse()
    assert (number.value, text.value) == (1, "a")


def test_the_faults_of_all_parts_are_reported_in_order() -> None:
    faults = Faults(["first"])
    bad, good = faults.take(lambda: wrong("second", "third")), faults.take(lambda: 1)
    faults.take(lambda: wrong("fourth"))
    with pytest.raises(InvalidInput) as caught:
        faults.refuse()
    assert caught.value.faults == ("first", "second", "third", "fourth")
    assert good.value == 1
    with pytest.raises(InvalidInput, match="second\nthird"):
        assert bad.value


def test_another_error_is_not_a_fault() -> None:
    with pytest.raises(ZeroDivisionError):
        Faults().take(lambda: 1 // 0)
