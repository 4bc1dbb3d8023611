# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of routing tables and of the owner tag: whose they are, what is in the way, what a failure leaves."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.converge import Outcome, converge
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import ApplyFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.host.files import Files
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import RequestFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.engine import RoutingEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.iproute_names import (
    HEADER,
    Name,
    NameFiles,
    own_file,
    parse,
    render,
)

from .fake_files import FakeFiles
from .fake_kernel import FakeKernel

TABLES, PROTOCOLS = "/etc/iproute2/rt_tables.d/multihome.conf", "/etc/iproute2/rt_protos.d/multihome.conf"
FOREIGN = "/etc/iproute2/rt_tables.d/vpn.conf"
UNICOM = {"id": 1001, "name": "unicom"}
INTERLINK = {"id": 1002, "name": "interlink"}
PLAIN = {"id": 1001, "routes": [{"destination": "::/0", "type": "unreachable"}]}


def run(
    fake: FakeKernel, *tables: dict[str, Any], check: bool = False, **options: Any
) -> tuple[RoutingEngine, Outcome[Any]]:
    engine = RoutingEngine(list(tables), executor=fake.executor(), **options)
    return engine, converge(engine, check, contextlib.nullcontext)


def warnings(fake: FakeKernel, *tables: dict[str, Any], **options: Any) -> list[str]:
    engine, outcome = run(fake, *tables, **options)
    said: list[str] = engine.remarks(outcome.plan).get("warnings", [])
    return said


def named(fake: FakeKernel, kind: str = "table") -> dict[int, str]:
    return {name.number: name.text for name in NameFiles(fake.files).read(109).ours if name.kind == kind}


def test_what_is_read_is_what_was_written() -> None:
    names = [Name("table", 1002, "b"), Name("table", 1001, "a")]
    text = render(names)
    assert text == f"{HEADER}\n1001\ta\n1002\tb\n"
    assert parse("table", text) == names[::-1]
    assert render([]) is None
    assert parse("table", None) == []


def test_files_are_read_as_iproute2_reads_them() -> None:
    text = "# 1 one\n\n 0x10 sixteen # why\n\t17\tseventeen\nnonsense\n18 eighteen\n"
    assert parse("table", text) == [Name("table", 16, "sixteen"), Name("table", 17, "seventeen")]


def test_names_come_and_go_with_their_tables() -> None:
    fake = FakeKernel()
    _engine, foretold = run(fake, UNICOM, INTERLINK, check=True)
    assert fake.files.texts == {}
    _engine, done = run(fake, UNICOM, INTERLINK)
    assert foretold.actions() == done.actions()
    assert fake.files.modes == {TABLES: 0o644, PROTOCOLS: 0o644}
    assert (named(fake), named(fake, "protocol")) == ({1001: "unicom", 1002: "interlink"}, {109: "multihome"})
    assert run(fake, UNICOM)[1].actions() == []
    purged = run(fake, UNICOM, purge=True)[1]
    assert purged.actions() == [{"op": "remove", "object": {"table": 1002, "name": "interlink"}}]
    assert named(fake) == {1001: "unicom"}
    run(fake, purge=True)
    assert fake.files.texts == {}
    assert fake.sent == []


def test_a_new_name_and_a_new_number_replace_the_old_one_without_purge() -> None:
    fake = FakeKernel()
    run(fake, UNICOM, INTERLINK)
    assert run(fake, {**UNICOM, "name": "unicom-2"})[1].actions() == [
        {"op": "replace", "object": {"table": 1001, "name": "unicom-2"}}
    ]
    # The name moves to another table: two tables of one name would be no help.
    _engine, moved = run(fake, {"id": 2002, "name": "interlink"})
    assert [action["op"] for action in moved.actions()] == ["add", "remove"]
    assert named(fake) == {1001: "unicom-2", 2002: "interlink"}
    # They change places.
    run(fake, {"id": 1001, "name": "interlink"}, {"id": 2002, "name": "unicom-2"})
    assert named(fake) == {1001: "interlink", 2002: "unicom-2"}


def test_tables_without_a_name_and_of_every_host_need_no_file() -> None:
    fake = FakeKernel()
    run(fake, {"id": 254, "name": "main"}, {"id": 7}, {"id": 0x80000000, "name": "beyond"})
    assert TABLES not in fake.files.texts
    engine, outcome = run(fake, {"id": 7}, {"id": 8, "name": "eight"})
    assert engine.after(outcome.plan)["tables"] == [{"id": 8, "name": "eight", "routes": []}]


def test_a_name_that_stands_already_is_satisfied_and_not_taken_over() -> None:
    fake = FakeKernel()
    fake.files.texts[FOREIGN] = "1001 unicom\n"
    before = dict(fake.files.texts)
    run(fake, UNICOM)
    assert TABLES not in fake.files.texts
    assert run(fake, UNICOM)[1].actions() == []
    run(fake, purge=True)
    assert fake.files.texts == before


@pytest.mark.parametrize("text", ["1001 vpn\n", "0x3e9\tvpn\n", "77 unicom\n"])
@pytest.mark.parametrize(
    "file",
    [
        FOREIGN,
        "/etc/iproute2/rt_tables",
        "/usr/share/iproute2/rt_tables",
        "/usr/lib/iproute2/rt_tables.d/dist.conf",
    ],
)
def test_a_name_in_the_way_is_a_warning_that_names_its_file(text: str, file: str) -> None:
    fake = FakeKernel()
    fake.files.texts[file] = text
    (warning,) = warnings(fake, UNICOM, INTERLINK)
    number, _tab, name = text.expandtabs(1).strip().partition(" ")
    assert warning == (
        f"tables[0] (unicom): table {int(number, 0)} is called {name} in {file}, so ip does not show it as unicom; "
        "change it there or here"
    )
    assert named(fake) == {1002: "interlink"}
    assert fake.files.texts[file] == text
    assert run(fake, UNICOM, INTERLINK)[1].actions() == []


@pytest.mark.parametrize(
    ("hidden", "by"),
    [
        ("/usr/share/iproute2/rt_tables", "/etc/iproute2/rt_tables"),
        ("/usr/share/iproute2/rt_tables.d/vpn.conf", FOREIGN),
        ("/etc/iproute2/rt_tables.d/vpn.conf.bak", FOREIGN),
        ("/etc/iproute2/rt_tables.d/.conf.conf", FOREIGN),
    ],
)
def test_what_ip_does_not_read_is_in_nobodys_way(hidden: str, by: str) -> None:
    fake = FakeKernel()
    fake.files.texts.update({hidden: "1001 vpn\n", by: "7 seven\n"})
    assert warnings(fake, UNICOM) == []
    assert named(fake) == {1001: "unicom"}


def test_a_file_of_our_name_that_is_not_ours_stays() -> None:
    fake = FakeKernel()
    fake.files.texts[TABLES] = "5 five\n"
    assert warnings(fake, UNICOM) == [f"names are not kept: {TABLES} was not written by this collection; move it away"]
    run(fake, purge=True)
    assert fake.files.texts[TABLES] == "5 five\n"


def test_where_nothing_can_be_written_routes_are_set_all_the_same() -> None:
    fake = FakeKernel()
    fake.files.read_only = {"/etc/iproute2/rt_tables.d", "/etc/iproute2/rt_protos.d"}
    expected = [
        f"names are not kept: /etc/iproute2/{kind}.d cannot be written to" for kind in ("rt_tables", "rt_protos")
    ]
    assert warnings(fake, {**PLAIN, "name": "unicom"}) == expected
    assert len(fake.routes) == 1
    assert run(fake, {**PLAIN, "name": "unicom"})[1].actions() == []
    assert warnings(fake, PLAIN) == []


def test_another_owner_has_a_file_of_its_own_and_no_name_for_its_tag() -> None:
    fake = FakeKernel()
    run(fake, UNICOM)
    run(fake, INTERLINK, owner=77, purge=True)
    assert named(fake) == {1001: "unicom"}
    assert set(fake.files.texts) == {TABLES, PROTOCOLS, own_file("table", 77)}
    assert own_file("table", 77) == "/etc/iproute2/rt_tables.d/multihome-77.conf"
    run(fake, owner=77, purge=True)
    assert set(fake.files.texts) == {TABLES, PROTOCOLS}


def test_routes_and_names_are_undone_together() -> None:
    fake = FakeKernel()
    run(fake, INTERLINK)
    before, texts = fake.state(), dict(fake.files.texts)
    # The names cannot be written: the route goes again.
    fake.files.refused[TABLES] = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(ApplyFailed, match="No space left") as failed:
        run(fake, {**PLAIN, "name": "unicom"})
    assert fake.sent
    assert (fake.state(), fake.files.texts) == (before, texts)
    assert failed.value.undone == ("add route ::/0 in table 1001",)
    # The route cannot be added: no name comes.
    fake.files.refused.clear()
    fake.faults = {len(fake.sent) + 1: RequestFailed(errno.EPERM)}
    with pytest.raises(ApplyFailed, match="not permitted"):
        run(fake, {**PLAIN, "name": "unicom"})
    assert (fake.state(), fake.files.texts) == (before, texts)
    # And without a fault both come.
    run(fake, {**PLAIN, "name": "unicom"})
    assert fake.state() != before
    assert named(fake) == {1001: "unicom", 1002: "interlink"}


def test_undo_of_a_whole_run_puts_the_names_back() -> None:
    fake = FakeKernel()
    run(fake, INTERLINK)
    texts = dict(fake.files.texts)
    engine = RoutingEngine([UNICOM], purge=True, executor=fake.executor())
    current = engine.read()
    plan = engine.plan(current)
    engine.apply(plan, current)
    assert named(fake) == {1001: "unicom"}
    assert engine.restore(plan, current) == []
    assert fake.files.texts == texts


def test_a_hand_edited_file_is_ours_all_the_same() -> None:
    fake = FakeKernel(None)
    fake.files = FakeFiles({TABLES: f"{HEADER}\n1001 unicom\n1001 unicom\n1001 other\n"})
    run(fake, UNICOM)
    assert named(fake) == {1001: "unicom"}
    assert run(fake, UNICOM)[1].actions() == []


def test_real_files_links_and_directories_that_are_not_there(tmp_path: Path) -> None:
    files = Files(str(tmp_path))
    assert files.is_writable("/etc/iproute2/rt_tables.d")
    assert files.names("/etc/iproute2/rt_tables.d") == []
    names = NameFiles(files)
    names.write({"table": f"{HEADER}\n1001\tunicom\n"}, 109)
    assert (tmp_path / TABLES.lstrip("/")).stat().st_mode & 0o777 == 0o644
    assert names.read(109).ours == (Name("table", 1001, "unicom"),)
    # A link in the place of our file is refused, one in another's is followed.
    own = tmp_path / TABLES.lstrip("/")
    own.rename(tmp_path / "elsewhere")
    own.symlink_to(tmp_path / "elsewhere")
    (own.parent / "vpn.conf").symlink_to(tmp_path / "elsewhere")
    state = names.read(109)
    assert state.ours == ()
    assert state.foreign == {Name("table", 1001, "unicom"): TABLES}
    assert "symbolic link" in state.obstacles["table"]
    own.unlink()
    assert names.read(109).foreign == {Name("table", 1001, "unicom"): FOREIGN}
