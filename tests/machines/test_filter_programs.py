# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's ufw, firewalld and Docker on a booted firewall, started before or after the deployment, and restarted.

Packets show whether services, hairpin and the server's own way out work. Where they do not, the deployment names the
program that drops them, with a remedy that works.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks, playbooks
from ansible_collections.multihome.linux.tests.e2e.offers import CLIENT, plain
from ansible_collections.multihome.linux.tests.e2e.traffic import ask
from ansible_collections.multihome.linux.tests.lab.state import LabError
from ansible_collections.multihome.linux.tests.machines import releases
from ansible_collections.multihome.linux.tests.machines.bed import Bed, booted
from ansible_collections.multihome.linux.tests.machines.deployed import KEEPER

# Seconds until a program has written its rules, and the keeper has seen them; about two on a machine that is not busy.
PATIENCE = 60
Command = Sequence[str]
# The port that a container publishes; the image has one file, and comes from no registry.
PUBLISHED = 8088
# As the lab's own servers answer.
ANSWER = {"host": "container", "local": "", "port": 80, "client": "", "protocol": "tcp"}
CONTAINER = f"""
mkdir -p /root/image/bin && cp /bin/busybox /root/image/bin/busybox && tar -C /root/image -cf /root/image.tar bin
docker import /root/image.tar box
docker run --detach --restart=always --name=web --publish={PUBLISHED}:80 box \\
    /bin/busybox nc -ll -p 80 -e /bin/busybox echo '{json.dumps(ANSWER)}'
"""


@dataclass(frozen=True)
class Program:
    """A program: the commands that start it, and those that load its rules again.

    ``drops`` is the kind of the finding that names what it drops; none where everything works beside it.
    """

    name: str
    start: Sequence[Command]
    again: Sequence[Command]
    drops: str = ""

    def __str__(self) -> str:
        return self.name


FIREWALLD = (("systemctl", "enable", "--now", "firewalld"),)
FIREWALLD_AGAIN = (
    ("firewall-cmd", "--reload"),
    ("firewall-cmd", "--complete-reload"),
    ("systemctl", "restart", "firewalld"),
)
UFW = Program(
    "ufw",
    [("ufw", "--force", "enable"), ("systemctl", "enable", "--now", "ufw")],
    [("ufw", "reload"), ("systemctl", "restart", "ufw")],
)
# No interface has a zone of its own.
AS_INSTALLED = Program("firewalld", FIREWALLD, FIREWALLD_AGAIN, "outgoing-dropped")
WITH_ZONES = Program(
    "firewalld with zones",
    [
        *FIREWALLD,
        ("firewall-cmd", "--permanent", "--zone=internal", "--change-interface=lan0"),
        ("firewall-cmd", "--permanent", "--zone=public", "--change-interface=wan0"),
        ("firewall-cmd", "--reload"),
    ],
    FIREWALLD_AGAIN,
    "outgoing-dropped",
)
DOCKER = Program(
    "docker",
    [("systemctl", "enable", "--now", "docker"), ("sh", "-ec", CONTAINER)],
    [("systemctl", "reload", "docker"), ("systemctl", "restart", "docker")],
)


@pytest.fixture(params=releases.SUITES)
def bed(request: pytest.FixtureRequest) -> Iterator[Bed]:
    """Machines on which nothing is deployed, and a firewall with all of the programs, none of them started."""
    try:
        releases.check()
    except LabError as error:
        pytest.skip(f"no machine can boot here: {error}")
    with booted(request.param, f"test-{os.getpid()}-{request.param}-programs", filter_programs=True) as made:
        yield made


def run(bed: Bed, commands: Sequence[Command]) -> None:
    """Run commands on the firewall."""
    for command in commands:
        bed.lab.exec(bed.firewall.name, *command)


def dropped(bed: Bed, program: Program) -> list[str]:
    """What does not work: services, hairpin, the server's own way out, and a container's published port."""
    found = checks.services_answered(bed.lab) + checks.hairpin(bed.lab) + checks.outbound_by_alias(bed.lab)
    if program is DOCKER:
        found += published(bed)
    return found


def published(bed: Bed) -> list[str]:
    """Whether the container answers a host on the Internet."""
    line = next(line for line in bed.lab.lines if line.end == bed.firewall.name)
    there = f"tcp://{plain(line.public[0])}:{PUBLISHED}"
    return [] if there in ask(bed.lab, CLIENT, [there]) else [f"the container does not answer at {there}"]


def works(bed: Bed, program: Program) -> None:
    """Everything works, at once or when rules that have just been written are complete."""
    assert checks.eventually(lambda: dropped(bed, program), PATIENCE) == []


def load_again(bed: Bed, program: Program) -> None:
    """The program loads its rules again, is restarted, and starts at boot; each time everything works."""
    for command in program.again:
        run(bed, [command])
        works(bed, program)
    bed.firewall.reboot()
    works(bed, program)
    # Nothing of this needs a deployment.
    assert checks.nothing_changed(playbooks.deploy(bed.lab)) == []


def follow_the_remedy(bed: Bed, program: Program) -> None:
    """The deployment is refused, names what the program drops, and says what to do; do so."""
    with pytest.raises(playbooks.PlaybookFailed, match=f"error {program.drops}, nft table inet firewalld") as refused:
        playbooks.deploy(bed.lab)
    (remedy,) = re.findall(r"remedy: unless the interfaces have zones, .*?: (.*); then: (.*)", str(refused.value))
    for commands in remedy if program is AS_INSTALLED else remedy[1:]:
        run(bed, [("sh", "-ec", commands)])


@pytest.mark.parametrize("program", [UFW, AS_INSTALLED, DOCKER], ids=str)
def test_a_program_that_runs_before_the_deployment(bed: Bed, program: Program) -> None:
    run(bed, program.start)
    if program.drops:
        follow_the_remedy(bed, program)
    playbooks.deploy(bed.lab)
    works(bed, program)
    if not program.drops:
        # The control: without the role's chain, which the keeper restores, the program drops.
        run(bed, [("systemctl", "stop", KEEPER), ("iptables", "-F", "multihome-forward")])
        assert dropped(bed, program) != []
        run(bed, [("systemctl", "start", KEEPER)])
        works(bed, program)
    load_again(bed, program)


@pytest.mark.parametrize("program", [UFW, WITH_ZONES, DOCKER], ids=str)
def test_a_program_that_is_started_after_the_deployment(bed: Bed, program: Program) -> None:
    playbooks.deploy(bed.lab)
    assert checks.eventually(lambda: dropped(bed, UFW), PATIENCE) == []
    run(bed, [("systemctl", "stop", KEEPER), *program.start])
    found = dropped(bed, program)
    if program is DOCKER:
        # It drops only where it is the one that switches forwarding on.
        works(bed, program)
    else:
        # The control: without the keeper and before the next deployment, it drops at least what the server initiates.
        assert [text for text in found if text.startswith("web1 from")] != []
    run(bed, [("systemctl", "start", KEEPER)])
    if program.drops:
        follow_the_remedy(bed, program)
    works(bed, program)
    playbooks.deploy(bed.lab)
    load_again(bed, program)
