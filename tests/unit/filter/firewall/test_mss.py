# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The segment size of a line: from the lists to the role, and from the role to the module."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible_collections.multihome.linux.plugins.module_utils._core.forwarding.clamps import parse_clamps
from ansible_collections.multihome.linux.plugins.plugin_utils._firewall.forwarding import clamps

LINE: dict[str, Any] = {"name": "unicom", "id": 1, "interface": "ppp0", "public_addresses": ["203.0.113.10/24"]}
OTHER: dict[str, Any] = {"name": "interlink", "id": 2, "interface": "wan1", "public_addresses": ["198.51.100.20/24"]}


@pytest.mark.parametrize(
    ("written", "expected"),
    [("auto", "auto"), (1400, "1400"), ("1400", "1400"), ("off", None), (False, None), (None, None)],
)
def test_a_line_with_a_limit_has_an_entry_that_the_module_accepts(written: object, expected: str | None) -> None:
    found = clamps([{**LINE, "mss": written}, OTHER])
    assert found == ([{"interface": "ppp0", "mss": expected}] if expected else [])
    assert [entry.object.as_input() for entry in parse_clamps(found)] == found


@pytest.mark.parametrize("written", [535, 65496, "big", True, [1400], "-1400", 1400.5])
def test_what_is_no_size_is_refused(written: object) -> None:
    with pytest.raises((AnsibleError, ValueError), match="not auto, off or a number from 536 to 65495"):
        clamps([{**LINE, "mss": written}])


def test_lines_of_one_interface_agree() -> None:
    shared = {**OTHER, "interface": "ppp0"}
    assert clamps([{**LINE, "mss": "auto"}, {**shared, "mss": "auto"}]) == [{"interface": "ppp0", "mss": "auto"}]
    with pytest.raises((AnsibleError, ValueError), match='mss off on interface "ppp0", where line "unicom" has auto'):
        clamps([{**LINE, "mss": "auto"}, shared])
