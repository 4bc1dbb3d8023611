# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules with the option confirm are those that change a host, and those of the action group for it."""

from __future__ import annotations

import yaml
from ansible_collections.multihome.linux.tests.unit.plugins import specifications

RUNTIME = yaml.safe_load((specifications.ROOT / "meta" / "runtime.yml").read_text())


def test_the_group_has_exactly_the_modules_with_the_option() -> None:
    groups = RUNTIME["action_groups"]
    having = {name for name, module in specifications.modules().items() if "confirm" in module.ARGUMENT_SPEC}
    assert set(groups["changes"]) == having
    assert set(groups["multihome"]) == set(specifications.modules())
