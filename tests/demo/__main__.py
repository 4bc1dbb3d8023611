# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`: two ISP lines, two firewalls and a web server are built, deployed, verified, broken and verified again.

All of it happens in namespaces; nothing of this machine's network is touched, and nothing stays. The exit status is
0 if everything held, 1 if something did not, 2 if the lab cannot run here, 130 after a Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from ..e2e import checks, line_health, playbooks, zone
from ..e2e.offers import CLIENT, FAMILIES, Offer, offers, plain, url
from ..e2e.playbooks import Event, Run
from ..e2e.traffic import ask, load
from ..integration.dns.servers import NameServer
from ..lab.lab import BREAKS, Lab
from ..lab.state import LabError
from ..lab.topology import LAN_CLIENT, choose
from .screen import Screen

PICTURE = """\
     client ─ ISP A ─ fw-a (203.0.113.10)  .11 ┐
                                               ├─ LAN 192.168.168.0/24 ─ web1
     client ─ ISP B ─ fw-b (198.51.100.20) .12 ┘                       .1 and .2
"""
A, B = "unicom", "interlink"
SAID = {
    "carrier": "the cable to ISP A is pulled out",
    "blackhole": "ISP A silently drops everything",
    "firewall": "the firewall of line A is gone",
}


class NotAsItShouldBe(Exception):
    """Something did not hold; ``problems`` has a line for each thing."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = problems


class Demo:
    """The steps, on one lab."""

    def __init__(self, lab: Lab, screen: Screen) -> None:
        self.lab, self.screen = lab, screen
        self.cells = self.requests = 0

    def run(self) -> None:
        """Take all steps; raise NotAsItShouldBe at the first that fails."""
        self.build()
        self.deploy("Deploy: three hosts from one declaration")
        self.verify("Verify: from two clients on the Internet")
        again = self.deploy("Deploy again: nothing may change")
        self.require(checks.nothing_changed(again))
        self.look_around()
        for how in BREAKS:
            self.break_line(how)
        self.verify("Verify again: both lines serve")
        self.watch_lines()
        self.lock_out()
        self.publish()
        self.matrix()

    def build(self) -> None:
        """Bring the lab up."""
        with self.screen.step("Two ISP lines, two firewalls, one web server, in namespaces"):
            self.lab.up(choose(lines=2))
            for line in PICTURE.splitlines():
                self.screen.say(line)
            user = "root" if os.geteuid() == 0 else "an ordinary user"
            self.screen.good(f"{len(self.lab.hosts)} hosts, IPv4 and IPv6, made by {user}")

    def deploy(self, title: str) -> Run:
        """Run the playbook deploy and show what it changed on each host."""
        with self.screen.step(title):
            run = playbooks.deploy(self.lab, follow=self.follow)
            for host, numbers in run.hosts.items():
                self.screen.good(f"{host:5} ok={numbers['ok']} changed={numbers['changed']}")
            for line in run.message("Show what changed"):
                if not line.endswith("unchanged"):
                    self.screen.say(f"     {line}")
        return run

    def verify(self, title: str) -> None:
        """Run the playbook verify and show its matrix."""
        with self.screen.step(title):
            run = playbooks.verify(self.lab, follow=self.follow)
            self.screen.rows(run.message("Show line, service, family and answer"))
            self.require(run.failures)

    def look_around(self) -> None:
        """Everything that is not a request from the Internet."""
        with self.screen.step("Around it: the LAN, hairpin, the server's own traffic, the log"):
            self.check("replies leave by the line of their request, both lines", self.replies)
            self.check("the web server's log has the clients' own addresses", checks.log_shows_client)
            self.check("a LAN client reaches the server on every alias", checks.lan_reaches_aliases)
            for line in self.lab.lines:
                self.lab.break_line(line.name, "firewall")
                self.check(f"… also while {line.end} is gone", checks.lan_reaches_aliases)
                self.lab.heal_line(line.name)
                self.wait_until_whole()
            self.check("a LAN client reaches every service by its public address", checks.hairpin)
            self.check("the server, bound to an alias, goes out by that line", checks.outbound_by_alias)
            self.check(f"the server, unbound, goes out by the preferred line {A}", checks.outbound_unbound)

    def break_line(self, how: str) -> None:
        """Break line A under load, show who answers, heal it."""
        with self.screen.step(f"Line A breaks: {SAID[how]}"):
            urls = [offer.url for offer in offers(self.lab.topology, [B])]
            with load(self.lab, "client2", urls) as requests:
                self.lab.break_line(A, how)
                self.require(checks.line_is_dead(self.lab, A))
                self.screen.good(f"line A: {plain(self.lab.lines[0].public[0])} does not answer, as expected")
                self.require(checks.services_answered(self.lab, [B]))
                for address in map(plain, self.lab.lines[1].public):
                    self.screen.good(self.answer(address))
                self.lab.heal_line(A)
                self.wait_until_whole()
            self.screen.good("line A is mended, and serves again without another deployment")
            if requests.failed or not requests.answered:
                self.require([f"line B: {requests.failed} of {requests.failed + requests.answered} requests failed"])
            self.screen.good(f"meanwhile {requests.answered} requests by line B, none of which failed")
            self.requests += requests.answered

    def watch_lines(self) -> None:
        """Have the keeper watch the lines: line A dies silently, and what the server initiates moves to line B."""
        with self.screen.step("Line A dies silently: what the server initiates follows"):
            self.screen.busy("the lines get targets to be judged by")
            watched = line_health.watched(self.lab)
            playbooks.deploy(self.lab, variables=watched, follow=self.follow)
            with line_health.keepers(self.lab, "web1"):
                self.eventually(f"the server goes out by the preferred line {A}", checks.outbound_unbound, A)
                self.lab.break_line(A, "blackhole")
                self.eventually(f"ISP A drops everything: the server goes out by line {B}", checks.outbound_unbound, B)
                self.show_status()
                again = playbooks.deploy(self.lab, variables=watched, follow=self.follow)
                self.require(checks.nothing_changed(again))
                self.screen.good("a deployment during the outage changes nothing")
                self.lab.heal_line(A)
                self.eventually(f"line A is mended: the server goes out by line {A} again", checks.outbound_unbound, A)
            self.wait_until_whole()

    def show_status(self) -> None:
        """Show what an administrator sees on the server, and that monitoring gets a warning."""
        self.screen.busy("multihome status")
        done = self.lab.exec("web1", line_health.COMMAND, "status", check=False)
        rows = done.stdout.splitlines()
        named = any(A in row and "is down" in row for row in rows)
        self.require([] if done.returncode == 1 and named else [f"multihome status: exit {done.returncode}", *rows])
        self.screen.rows(rows[: rows.index("") if "" in rows else len(rows)])
        self.screen.good(f"multihome status names line {A}, and ends with status 1")

    def publish(self) -> None:
        """Publish the server's name: it loses the address of line A while that is dead, and gets it back."""
        with (
            self.screen.step("Line A dies silently: the name of the service loses its address"),
            tempfile.TemporaryDirectory() as directory,
            zone.name_server(self.lab, CLIENT, Path(directory)) as server,
        ):
            self.screen.busy("the zone is published")
            lists = {**zone.declared(self.lab, server), **line_health.watched(self.lab)}
            playbooks.deploy(self.lab, variables=lists, follow=self.follow)
            both = [plain(line.public[0]) for line in self.lab.lines]
            with line_health.keepers(self.lab, "web1"):
                self.name_has(server, f"{zone.DOMAIN} has the addresses of both lines", both)
                self.lab.break_line(A, "blackhole")
                self.name_has(server, f"ISP A drops everything: the name has {both[1]} only", both[1:])
                self.lab.heal_line(A)
                self.name_has(server, f"line A is mended: the name has {both[0]} again", both)
            self.wait_until_whole()

    def name_has(self, server: NameServer, claim: str, addresses: list[str]) -> None:
        """Show that the name has exactly these addresses, soon."""
        self.screen.busy(claim)

        def problems() -> list[str]:
            found = server.ask(zone.DOMAIN, "A")
            return [] if found == sorted(addresses) else [f"{zone.DOMAIN} has {', '.join(found) or 'no address'}"]

        self.require(checks.eventually(problems, 60))
        self.screen.good(claim)

    def lock_out(self) -> None:
        """Deploy a typo that cuts the connection by which it is deployed, and wait for the server to come back."""
        with self.screen.step("A deployment cuts its own connection"):
            administrator, server = (self.lab.topology.hosts[name].interfaces[0] for name in (LAN_CLIENT, "web1"))
            own = administrator.addresses[0]
            self.screen.say(f"     Ansible is on {LAN_CLIENT}; by a typo web1 gets its address, {plain(own)}")
            watched = line_health.watched(self.lab)
            lists = {**playbooks.declared(self.lab), **watched}
            lists["multihome_servers"][0]["addresses"][A] = [own, *self.lab.topology.servers[0].addresses[A][1:]]
            typo = {**playbooks.FAILOVER, **lists, "multihomed_web_preflight": False}
            # Each command of Ansible needs packets from the administrator to web1 and back.
            path = {"lab_from": LAN_CLIENT, "lab_address": plain(server.addresses[0]), "multihome_confirm_timeout": 10}
            run = playbooks.run(
                self.lab, playbooks.DEPLOY, "--limit", "web1", variables={**typo, **path}, follow=self.follow
            )
            lost = [result for result in run.results if result.status == "unreachable"]
            self.require([] if lost else ["the connection was not cut"])
            self.screen.good(f"web1 cannot be reached any more: {lost[0].values.get('msg')}")
            # The run waited meanwhile for web1, and has asked it what became of the change.
            told = any("web1 has its earlier state again: the connection was lost" in each for each in run.failures)
            self.require([] if told else ["the run does not say that web1 has its earlier state", *run.failures])
            self.screen.busy("asking both lines")
            self.require(checks.eventually(lambda: checks.services_answered(self.lab), 60))
            self.screen.good("unconfirmed, web1 restored its earlier state: both lines serve")
            self.require(checks.nothing_changed(playbooks.deploy(self.lab, variables=watched, follow=self.follow)))
            self.screen.good("the declaration without the typo changes nothing")

    def eventually(self, claim: str, check: Callable[[Lab, str], list[str]], line: str) -> None:
        """Show that a claim about a line holds, soon."""
        self.screen.busy(claim)
        self.require(checks.eventually(lambda: check(self.lab, line), 60))
        self.screen.good(claim)

    def answer(self, address: str) -> str:
        """Ask the web server by ``address``, and say in words what it answered."""
        there = url(address)
        answers = ask(self.lab, CLIENT, [there])
        self.require([] if there in answers else [f"{there} does not answer"])
        answer = answers[there]
        return f"line B: {address} answers: {answer['host']} sees {answer['client']}"

    def matrix(self) -> None:
        """Ask every line, service and family once more, and show who answered."""
        with self.screen.step("Every line, service and family, as a client on the Internet sees it"):
            reached: dict[tuple[str, str], dict[str, bool]] = {}
            answered = checks.matrix(self.lab)
            for offer, good in answered:
                row = reached.setdefault((offer.line, offer.service), dict.fromkeys(FAMILIES, True))
                row[offer.family] &= good
            self.cells = sum(len(row) for row in reached.values())
            for (line, service), row in reached.items():
                cells = "   ".join(f"{family} {'✓' if good else '✗'}" for family, good in row.items())
                self.screen.rows([f"{line:<9}  {service:<5}  {self.ports(line, service):<18}  {cells}"])
            self.require([f"{offer}: no answer" for offer, good in answered if not good])

    def ports(self, line: str, service: str) -> str:
        """Return the ports that were asked, as 5000/tcp, 5010/tcp."""
        found = {_port(offer): None for offer in offers(self.lab.topology, [line]) if offer.service == service}
        return ", ".join(found)

    def summary(self) -> list[str]:
        """Return what was shown, in a few lines."""
        return [
            "The first deployment made it work, the second changed=0 on every host.",
            f"Line {A} broke in {len(BREAKS)} ways: {self.requests} requests by {B}, 0 failed.",
            f"While {A} was silently dead, the server's own traffic left by {B},",
            "and the name of the service had no address of it.",
            "A deployment cut its own connection, and the server restored its earlier state by itself.",
            f"In the end {self.cells} of {self.cells} cells of line, service and family are reached.",
        ]

    def check(self, claim: str, check: Callable[[Lab], list[str]]) -> None:
        """Show that a claim holds."""
        self.screen.busy(claim)
        self.require(check(self.lab))
        self.screen.good(claim)

    def replies(self, lab: Lab) -> list[str]:
        """Return what is wrong about the lines that replies take."""
        return [problem for line in lab.lines for problem in checks.replies_leave_by_the_line(lab, line.name)]

    def wait_until_whole(self) -> None:
        """Wait until every line serves."""
        self.screen.busy("waiting until both lines serve")
        self.require(checks.eventually(lambda: checks.services_answered(self.lab)))

    def require(self, problems: list[str]) -> None:
        """Stop unless all is well."""
        if problems:
            raise NotAsItShouldBe(problems)

    def follow(self, event: Event) -> None:
        """Show which task of a playbook is running."""
        if event["event"] == "task":
            self.screen.busy(event["task"].rpartition(" : ")[2])


def _port(offer: Offer) -> str:
    return f"{offer.port}/{offer.protocol}"


def _interrupt(number: int, _frame: object) -> None:
    raise KeyboardInterrupt(number)


def main() -> int:
    """Run the demonstration; return the exit status."""
    screen = Screen()
    lab = Lab(f"demo-{os.getpid()}")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    status, verdict = 1, ""
    try:
        demo = Demo(lab, screen)
        demo.run()
        screen.say()
        for line in demo.summary():
            screen.good(line)
        status, verdict = 0, f"Everything held. {screen.elapsed:.0f} s, and nothing is left of it."
    except KeyboardInterrupt:
        status, verdict = 130, "Interrupted; nothing is left of it."
    except (NotAsItShouldBe, playbooks.PlaybookFailed) as error:
        for problem in error.problems if isinstance(error, NotAsItShouldBe) else str(error).splitlines():
            screen.bad(problem)
        verdict = "NOT everything held: see above."
    except LabError as error:
        status, verdict = 2, f"The lab cannot run: {error}"
    finally:
        # Whoever presses Ctrl-C once more would otherwise leave the lab behind.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        lab.down()
    screen.say()
    print(screen.painted(verdict, "bold", "red" if status else "green"), flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
