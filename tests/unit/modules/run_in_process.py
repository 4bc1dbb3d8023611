# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a routing module's main() in the test's own process, over the fake kernel of the engine's tests."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.multihome.linux.plugins.module_utils import _module
from ansible_collections.multihome.linux.plugins.module_utils._core.lock import exclusive
from ansible_collections.multihome.linux.plugins.module_utils._core.routing import alias_engine, engine
from ansible_collections.multihome.linux.tests.unit.routing.fake_kernel import INTERFACES, FakeKernel


class Runner:
    """One host and one module. ``run`` gives the module's result, a failure too."""

    def __init__(self, module: ModuleType, directory: Path, monkeypatch: pytest.MonkeyPatch, capture: Any) -> None:
        for interface in INTERFACES:
            (directory / interface).mkdir()
            (directory / interface / "promote_secondaries").write_text("0\n")
        self.fake = FakeKernel(directory)
        self._module, self._capture = module, capture
        for engines in (alias_engine, engine):
            monkeypatch.setattr(engines, "Executor", self.fake.executor)
        self.lock = directory / "run" / "lock"
        monkeypatch.setattr(_module, "exclusive", lambda: exclusive(str(self.lock), timeout=0.1))

    def run(self, *, check: bool = False, diff: bool = False, **options: Any) -> dict[str, Any]:
        """Run the module; in check mode any write fails the test."""
        self.fake.read_only = check
        modes = {"_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_remote_tmp": "/dev/null"}
        with patch_module_args({**options, **modes}), pytest.raises(SystemExit):
            self._module.main()
        self.fake.read_only = False
        result = json.loads(self._capture.readouterr().out)
        assert isinstance(result, dict)
        return result
