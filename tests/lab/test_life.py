# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab comes up, is itself, and is gone without a trace, whoever is killed when."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.tests.lab import state
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab
from ansible_collections.multihome.linux.tests.lab.topology import choose
from ansible_collections.multihome.linux.tests.lab.waiting import eventually


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A lab that is down, and is taken down."""
    lab = Lab(f"life-{os.getpid()}")
    yield lab
    lab.down()


def processes(name: str) -> list[int]:
    """The machine's processes that belong to a lab: all carry its name in their environment."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if f"LAB_NAME={name}".encode() in (directory / "environ").read_bytes().split(b"\0"):
                found.append(int(directory.name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def machine_network() -> dict[str, object]:
    """What the machine's own network consists of."""
    commands = {"links": "link", "routes": "route show table all", "rules": "rule"}
    ip = state.find_tool("ip")
    assert ip is not None
    seen = {
        what: subprocess.run([ip, "-json", *words.split()], capture_output=True, check=True, text=True).stdout
        for what, words in commands.items()
    }
    links = [(link["ifname"], link["flags"]) for link in json.loads(seen.pop("links"))]
    settings = {path: path.read_text() for path in Path("/proc/sys/net/ipv4").glob("ip_forward")}
    return {**seen, "links": links, "settings": settings}


def wait_for_none(name: str) -> list[int]:
    """Wait a little for a killed lab's processes to end; return those that stay."""
    deadline = time.monotonic() + 5
    while (left := processes(name)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left


def test_up_and_down_are_idempotent_and_down_leaves_nothing(lab: Lab) -> None:
    network, mounts = machine_network(), Path("/proc/self/mountinfo").read_text()
    options = choose(lines=3)
    begin = time.monotonic()
    assert lab.up(options)
    print(f"3 lines came up in {time.monotonic() - begin:.2f} s")
    assert lab.is_up()
    first = state.running(lab.name)
    assert not lab.up(options)
    assert state.running(lab.name) == first
    assert len(processes(lab.name)) > len(lab.hosts), "the holder, each host, the web servers"
    assert (machine_network(), Path("/proc/self/mountinfo").read_text()) == (network, mounts)

    assert lab.down()
    assert not lab.down()
    assert not lab.is_up()
    assert processes(lab.name) == []
    assert not lab.directory.exists()
    assert (machine_network(), Path("/proc/self/mountinfo").read_text()) == (network, mounts)


def test_other_options_build_the_lab_anew(lab: Lab) -> None:
    lab.up(choose(lines=1))
    before = processes(lab.name)
    assert lab.up(choose(lines=2, shape="B"))
    assert "fw" in lab.hosts
    assert not set(before) & set(processes(lab.name))


def test_a_lab_that_lost_a_host_is_built_anew(lab: Lab) -> None:
    lab.up(choose(lines=1))
    os.kill(state.running(lab.name)["hosts"]["web1"]["pid"], signal.SIGKILL)
    eventually(lambda: not lab.is_up())
    with pytest.raises(state.LabError, match="has ended"):
        lab.exec("web1", "true")
    assert lab.up(choose(lines=1))
    assert lab.exec("web1", "hostname").stdout == "web1\n"


def test_killing_the_builder_at_any_moment_leaves_nothing(lab: Lab) -> None:
    caught_halfway = 0
    command = [sys.executable, "-m", "tests.lab", "up", "--lines", "6", "--name", lab.name]
    for moment in range(1, 20):
        builder = subprocess.Popen(command, cwd=state.CHECKOUT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(moment * 0.03)
        halfway = bool(processes(lab.name)) and not lab.is_up()
        builder.kill()
        builder.wait()
        if lab.is_up():
            break
        assert wait_for_none(lab.name) == []
        caught_halfway += halfway
        lab.down()
        assert not lab.directory.exists()
    assert caught_halfway >= 2, "no kill came while processes of the lab were there"


def test_killing_the_holder_ends_everything(lab: Lab) -> None:
    lab.up(choose(lines=2))
    holder = state.running(lab.name)["holder"]
    os.kill(holder["pid"], signal.SIGKILL)
    assert wait_for_none(lab.name) == []
    eventually(lambda: not state.is_alive(holder))  # an exiting process has no environment any more
    with pytest.raises(state.LabError, match="is not up"):
        lab.exec("web1", "true")
    assert lab.up(choose(lines=2))


def test_a_process_id_used_again_by_another_is_not_killed(lab: Lab) -> None:
    lab.up(choose(lines=1))
    record = state.running(lab.name)
    lab.down()
    with subprocess.Popen(["sleep", "60"]) as other:
        start = state.start_time(other.pid)
        assert start is not None
        lab.directory.mkdir(parents=True)
        record["holder"] = {"pid": other.pid, "start": start - 1}
        state.write(lab.name, record)
        lab.down()
        assert other.poll() is None
        # The control: with the start time that is its own, it is taken for the holder.
        lab.directory.mkdir(parents=True)
        record["holder"]["start"] = start
        state.write(lab.name, record)
        lab.down()
        assert other.wait(5) == -signal.SIGKILL


def test_a_host_changes_only_its_own_files(start_lab: StartLab) -> None:
    lab = start_lab(lines=1)
    name = f"multihome-lab-{os.getpid()}"
    for directory in ("/etc", "/etc/systemd", "/var/lib", "/usr/lib", "/usr/local/bin", "/root", "/tmp", "/run"):
        path = f"{directory}/{name}"
        lab.exec("web1", "touch", path)
        assert lab.exec("web1", "ls", path).stdout == f"{path}\n"
        assert lab.exec("client1", "ls", path, check=False).returncode != 0
        if os.access(directory, os.X_OK):
            assert not Path(path).exists()


def test_a_host_cannot_change_the_machines_kernel_settings(start_lab: StartLab) -> None:
    lab = start_lab(lines=1)
    for path in ("/proc/sys/vm/swappiness", "/proc/sys/kernel/panic"):
        value = Path(path).read_text()
        assert "Read-only" in lab.exec("web1", "tee", path, stdin=value, check=False).stderr
    # The control: its own network's settings are its own.
    lab.exec("web1", "tee", "/proc/sys/net/ipv4/ip_forward", stdin="1")
    assert lab.exec("web1", "cat", "/proc/sys/net/ipv4/ip_forward").stdout == "1\n"
    assert lab.exec("client1", "cat", "/proc/sys/net/ipv4/ip_forward").stdout == "0\n"


def test_exec_passes_input_output_and_exit_code(start_lab: StartLab) -> None:
    lab = start_lab(lines=1)
    command = [sys.executable, "-m", "tests.lab", "exec", "--name", lab.name, "web1", "--"]
    result = subprocess.run(
        [*command, "sh", "-c", "cat; hostname; id -u; exit 7"],
        input="hello\n", cwd=state.CHECKOUT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (result.stdout, result.stderr, result.returncode) == ("hello\nweb1\n0\n", "", 7)
    with pytest.raises(state.LabError, match="exit code 1"):
        lab.exec("web1", "false")
    with pytest.raises(state.LabError, match='no host "web9"'):
        lab.exec("web9", "true")


def test_a_killed_command_does_not_stay_on_its_host(start_lab: StartLab) -> None:
    lab = start_lab(lines=1)
    with lab.popen("web1", "sleep", "4711") as sleeper:
        eventually(lambda: "sleep 4711" in lab.exec("web1", "ps", "-eo", "args").stdout)
        sleeper.kill()
    eventually(lambda: "sleep 4711" not in lab.exec("web1", "ps", "-eo", "args").stdout)


def test_labs_of_different_names_do_not_meet(start_lab: StartLab) -> None:
    one, other = start_lab(lines=1), start_lab(lines=1)
    one.exec("web1", "touch", "/etc/one")
    one.exec("isp-unicom", "ip", "link", "set", "dev", "line0", "down")
    assert other.exec("web1", "ls", "/etc/one", check=False).returncode != 0
    assert other.exec("client1", "ping", "-c1", "-W2", "203.0.113.10").returncode == 0
    one.down()
    assert other.is_up()


@pytest.mark.skipif(os.geteuid() != 0, reason="all of this file is then the test of an ordinary user's lab")
def test_an_ordinary_user_has_a_lab_too(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    checkout = tmp_path / "checkout"
    shutil.copytree(state.CHECKOUT / "tests" / "lab", checkout / "tests" / "lab")
    for path in (tmp_path, checkout, *checkout.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    for parent in (tmp_path, *tmp_path.parents):
        if parent == Path(tempfile.gettempdir()):
            break
        parent.chmod(0o755)
    become = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]

    def run(*words: str) -> str:
        return subprocess.run(
            [*become, "/usr/bin/python3", "-m", "tests.lab", *words],
            cwd=checkout, capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin"},
        ).stdout  # fmt: skip

    try:
        assert "came up" in run("up", "--name", "nobody")
        assert "uid=0(root)" in run("exec", "--name", "nobody", "web1", "--", "id")
        assert "in a user namespace" in run("status", "--name", "nobody")
        assert "1 received" in run("exec", "--name", "nobody", "client1", "--", "ping", "-c1", "-W2", "203.0.113.10")
        assert processes("nobody")
        for pid in processes("nobody"):
            assert Path(f"/proc/{pid}").stat().st_uid == nobody.pw_uid
        run("break", "--name", "nobody", "unicom", "--how", "blackhole")
    finally:
        assert "is down" in run("down", "--name", "nobody")
    assert processes("nobody") == []
