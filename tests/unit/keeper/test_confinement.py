# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A broken file, a broken program, or a broken answer of the kernel stops nothing but its own kind of state."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.host import programs, requirements
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper import stored_states
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.keeper import Keeper
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.startup_delay import StartupDelay
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.watch import FILES
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.engine import MarkEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import Message, RequestFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.neighbours import Resolution
from ansible_collections.multihome.linux.plugins.module_utils._core.store.format import KINDS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .world import FIRST, World

TABLE = {"id": 1001, "routes": [{"destination": "default", "gateway": "10.0.0.254"}]}
RULES = [{"priority": 23010, "family": "ipv4", "source": "10.0.0.1", "table": 1001}]
FILTER_FILES: dict[str, dict[str, Any]] = {
    "nat_rules": {
        "protocol": 109,
        "table": "multihome",
        "backend": "auto",
        "rules": [{"type": "snat", "source": "10.0.0.0/24", "to": "192.0.2.1"}],
    },
    "forward_policy": {"protocol": 109, "table": "multihome", "backend": "auto", "policy": "drop", "accept": []},
    "connection_marks": {
        "protocol": 109,
        "table": "multihome",
        "backend": "auto",
        "mask": "0xff",
        "balance_from": [],
        "balance_exclude": [],
        "marks": [{"mark": 1, "interface": "eth0"}],
    },
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def resembling(draw: st.DrawFn) -> str:
    """Text of a stored file in which some fields hold anything."""
    kind = draw(st.sampled_from(sorted(FILTER_FILES)))
    content = {"version": 1, "kind": kind, **FILTER_FILES[kind]}
    for name in draw(st.lists(st.sampled_from(sorted(content)), max_size=3)):
        content[name] = draw(JSON)
    return json.dumps(content)


FILE_TEXTS = st.one_of(st.text(), JSON.map(json.dumps), resembling(), st.just(100_000 * "["), st.just("-" * 5000))
FILE_NAMES = st.sampled_from(
    ["a", "ip_aliases.110", "nat_rules", "forward_policy", "connection_marks", "policy_routing.7"]
)
ANSWERS = st.one_of(
    st.tuples(st.sampled_from([0, 1, 127, -9]), st.text(max_size=200), st.text(max_size=50)),
    st.tuples(st.just(0), JSON.map(lambda value: json.dumps({"nftables": value})), st.just("")),
    st.tuples(st.just(0), st.lists(JSON, max_size=3).map(lambda rows: json.dumps({"nftables": rows})), st.just("")),
    st.tuples(st.just(0), st.just("nftables v1.0.6 (Lester Gooch #5)"), st.just("")),
    st.tuples(st.just(0), st.just("iptables v1.8.9 (nf_tables)"), st.just("")),
    st.sampled_from([OSError(8, "Exec format error"), programs.ProgramHangs("/sbin/nft", [], 10.0), ValueError("x")]),
)


@contextmanager
def deployed(answers: list[Any]) -> Iterator[tuple[World, Keeper]]:
    """A host that lost its routing and its alias, with files of every kind, on which programs answer this in turn."""
    with tempfile.TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
        world = World(Path(root))
        world.host.aliases([FIRST])
        world.host.routing([TABLE], RULES)
        for kind, content in FILTER_FILES.items():
            world.host.file(kind).write_text(json.dumps({"version": 1, "kind": kind, **content}))
            world.host.file(kind).chmod(0o600)
        world.lose_routing()
        world.take(FIRST)
        told = iter([answer for _turn in range(40) for answer in answers])

        def run(*_arguments: Any, **_options: Any) -> Any:
            answer = next(told, (1, "", "no more"))
            if isinstance(answer, Exception):
                raise answer
            return answer

        patch.setattr(programs, "run", run)
        patch.setattr(requirements, "tool", lambda name: f"/sbin/{name}")
        patch.setattr(requirements, "_CACHE", {})
        engines = {
            **stored_states.ENGINES,
            "ip_aliases": world.host.alias_engine,
            "policy_routing": world.host.routing_engine,
            "connection_marks": _marks,
        }
        states = stored_states.States(world.host.directories[0], engines, world.host.directories[1])
        yield world, Keeper(states, world.lock, lambda: world.now, StartupDelay(0.0, lambda _interface: True))


def _marks(options: Mapping[str, Any]) -> MarkEngine:
    return MarkEngine.from_options(options, find=lambda _wanted: Resolution({}, {}))


def is_whole(world: World) -> bool:
    """Whether all addresses, routes and rules are configured."""
    return "10.0.0.1/24" in world.addresses() and len(world.rules()) == 1 and len(world.routes()) == 1


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(FILE_NAMES, FILE_TEXTS, st.lists(ANSWERS, min_size=1, max_size=6))
def test_whatever_a_file_and_the_programs_say_the_other_kinds_are_restored(
    name: str, text: str, answers: list[Any]
) -> None:
    with deployed(answers) as (world, keeper):
        world.host.file(name).write_bytes(text.encode(errors="surrogatepass"))
        world.host.file(name).chmod(0o600)
        keeper.check({FILES})
        assert is_whole(world)
        # Whatever is wrong is in the report, which is written as JSON.
        report = json.loads(json.dumps(keeper.report()))
        assert {row["file"] for row in report["refused"]} <= {path.name for path in world.host.directory.iterdir()}


ODD_MESSAGES = st.builds(
    Message,
    st.just("route"),
    st.dictionaries(st.sampled_from(["family", "type", "proto", "tos", "flags", "table"]), st.integers(0, 255)),
    st.dictionaries(st.sampled_from(["RTA_DST", "RTA_TABLE", "RTA_MULTIPATH", "RTA_METRICS"]), JSON, max_size=3),
)


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(["route", "rule"]), st.lists(ODD_MESSAGES, min_size=1) | st.sampled_from([RequestFailed(105)]))
def test_whatever_the_kernel_answers_about_routes_the_addresses_are_restored(kind: str, answer: Any) -> None:
    with deployed([(1, "", "")]) as (world, keeper):
        real = world.host.fake.dump

        def dump(asked: str, *filters: Any) -> list[Message]:
            if asked != kind:
                return real(asked, *filters)
            if isinstance(answer, Exception):
                raise answer
            return list(answer)

        world.host.fake.dump = dump  # type: ignore[assignment, method-assign]  # the answer of a broken kernel
        keeper.check({FILES})
        world.host.fake.dump = real  # type: ignore[method-assign]  # it is well again
        assert "10.0.0.1/24" in world.addresses()
        world.now += 2
        keeper.check({FILES})
        assert is_whole(world)


def test_each_broken_file_is_named_with_its_reason() -> None:
    with deployed([(0, "not JSON", "")]) as (world, keeper):
        world.host.file("ip_aliases.110").write_text(100_000 * "[")
        world.host.file("ip_aliases.110").chmod(0o600)
        for kind, wrong in (("nat_rules", "auta"), ("connection_marks", "autp")):
            text = world.host.file(kind).read_text().replace('"auto"', f'"{wrong}"')
            world.host.file(kind).write_text(text)
        keeper.check({FILES})
        assert is_whole(world)
        refused = {row["file"]: row["reason"] for row in keeper.report()["refused"]}
    assert "nested too deeply" in refused["ip_aliases.110.json"]
    assert 'backend "auta" is none of auto, nftables, iptables' in refused["nat_rules.json"]
    assert 'backend "autp" is none of' in refused["connection_marks.json"]
    assert set(FILTER_FILES) < set(KINDS)


def test_an_unexpected_error_is_named_by_its_class_and_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: without the confinement this error would end the keeper."""
    with deployed([(1, "", "")]) as (world, keeper):

        def explode(_options: Any) -> Any:
            raise KeyError("x" * 1000)

        monkeypatch.setitem(keeper._states._engines, "nat_rules", explode)
        keeper.check({FILES})
        assert is_whole(world)
        refused = {row["file"]: row["reason"] for row in keeper.report()["refused"]}
    assert refused["nat_rules.json"].startswith("unexpected KeyError: 'xxx")
    assert len(refused["nat_rules.json"]) < 310


def test_a_file_with_empty_lists_has_a_kind_and_an_engine(tmp_path: Path) -> None:
    """A file that nobody needs any more is falsy, but its kind is known; found by make fuzz."""
    content = {"version": 1, "kind": "ip_aliases", "protocol": 109, "aliases": []}
    path = tmp_path / "ip_aliases.json"
    path.write_text(json.dumps(content))
    path.chmod(0o600)
    states = stored_states.States(str(tmp_path), stored_states.ENGINES, str(tmp_path))
    [state] = states.reload()
    assert states.prepare(state), state.fault
    assert state.kind == "ip_aliases"
