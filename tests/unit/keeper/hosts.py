# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host in memory whose stored files are real ones, and modules that run on it with ``persist: true``."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from ansible_collections.multihome.linux.plugins.module_utils._core.converge import Outcome, converge
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.alias_engine import AliasEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.engine import RoutingEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.store.persistence import Store
from ansible_collections.multihome.linux.tests.unit.routing.fake_kernel import INTERFACES, FakeKernel


class Host:
    """A fake kernel, and a directory for what is stored."""

    def __init__(self, root: Path) -> None:
        settings = root / "settings"
        for interface in INTERFACES:
            (settings / interface).mkdir(parents=True)
            (settings / interface / "promote_secondaries").write_text("0\n")
        self.fake = FakeKernel(settings)
        self.directory = root / "multihome"

    @property
    def directories(self) -> tuple[str, str]:
        """The directory of the stored files, and the one of the journals."""
        return str(self.directory), str(self.directory.parent / "run")

    def options(self, **given: Any) -> dict[str, Any]:
        """Options of a module, with its defaults."""
        return {"protocol": 109, "purge": False, "skip_unavailable": False, **given}

    def alias_engine(self, options: Any) -> AliasEngine:
        """The engine of ip_aliases on this host."""
        skip = options.get("skip_unavailable", True)
        kernel = self.fake.executor()
        return AliasEngine(options["aliases"], options["protocol"], options["purge"], kernel, skip_unavailable=skip)

    def routing_engine(self, options: Any) -> RoutingEngine:
        """The engine of policy_routing on this host."""
        lists = options["tables"], options["rules"], options["protocol"], options["purge"]
        groups, skip = options.get("interface_groups"), options.get("skip_unavailable", True)
        return RoutingEngine(*lists, self.fake.executor(), groups, skip)

    def aliases(
        self, aliases: list[dict[str, Any]], check: bool = False, persist: bool = True, **given: Any
    ) -> Outcome[Any]:
        """Run ip_aliases."""
        options = self.options(aliases=aliases, **given)
        engine = self.alias_engine(options)
        store = Store(engine, "ip_aliases", options, self.alias_engine, *self.directories) if persist else None
        return converge(engine, check, contextlib.nullcontext, store)

    def routing(self, tables: Any, rules: Any, purge: bool = False, **given: Any) -> Outcome[Any]:
        """Run policy_routing."""
        options = self.options(tables=tables, rules=rules, purge=purge, **given)
        engine = self.routing_engine(options)
        store = Store(engine, "policy_routing", options, self.routing_engine, *self.directories)
        return converge(engine, False, contextlib.nullcontext, store)

    def file(self, name: str) -> Path:
        """The path of a stored file."""
        return self.directory / f"{name}.json"

    def stored(self, name: str) -> Any:
        """The content of a stored file."""
        return json.loads(self.file(name).read_text())
