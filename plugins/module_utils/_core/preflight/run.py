# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host is ready for its lines, before anything is changed: all findings at once, each with its remedy.

One reader gathers plain facts, one function per check turns them into findings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ..errors import MultihomeError
from ..host import requirements
from ..host.kernel_parameters import KernelParameterEngine
from ..routing.executor import Executor
from . import filter_checks, forward_checks, health_checks, host_checks, line_checks, nat_checks, routing_checks
from .catalogue import ERROR, INFO, SEVERITIES, WARNING, Finding
from .facts import Facts, gather
from .model import NEVER, Desired, parse_desired

Check = Callable[[Desired, Facts], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    host_checks.interfaces,
    host_checks.ipv6,
    routing_checks.local_rule,
    routing_checks.duplicates,
    routing_checks.gateways,
    line_checks.ways_out,
    line_checks.public_addresses,
    health_checks.targets,
    routing_checks.silent_gateways,
    routing_checks.default_routes,
    routing_checks.default_routes_to_come,
    routing_checks.tables,
    routing_checks.priorities,
    routing_checks.rule_marks,
    routing_checks.replies,
    filter_checks.marks,
    filter_checks.reverse_path,
    forward_checks.forwarded,
    nat_checks.outgoing,
    nat_checks.translations,
    nat_checks.untranslated,
    forward_checks.own_ports,
    forward_checks.name_servers,
    filter_checks.legacy_iptables,
    filter_checks.kernel_features,
    host_checks.forwarding,
    host_checks.rp_filter,
    host_checks.arp,
    host_checks.shared_subnets,
    host_checks.boot,
    host_checks.networkd,
    host_checks.command,
    routing_checks.not_checked,
)


@dataclass(frozen=True)
class Report:
    """All findings, the most severe first; ``fail_on`` is the lowest severity with which the run fails.

    ``networkd`` are the settings that keep the running systemd-networkd from removing foreign objects; ``host`` is the
    name of this host in messages; ``requirements`` are as multihome_info returns them; ``kernel_parameters_pending``
    tells whether kernel_parameters would change anything; ``reply_by_mark_needed`` whether other programs translate
    destinations here, where the caller asks for that.
    """

    findings: Sequence[Finding]
    fail_on: str
    networkd: Sequence[str] = ()
    host: str = ""
    requirements: Mapping[str, Any] = field(default_factory=dict)
    kernel_parameters_pending: bool = False
    reply_by_mark_needed: bool = False

    def of(self, severity: str) -> list[Finding]:
        """Return the findings of a severity."""
        return [finding for finding in self.findings if finding.severity == severity]

    @property
    def failed(self) -> bool:
        """Whether there is a finding with which the run fails."""
        grave = {NEVER: (), ERROR: (ERROR,), WARNING: (ERROR, WARNING)}[self.fail_on]
        return any(finding.severity in grave for finding in self.findings)

    @property
    def message(self) -> str:
        """The errors and warnings as a text for people."""
        shown = [finding for finding in self.findings if finding.severity != INFO]
        counts = f"errors: {len(self.of(ERROR))}, warnings: {len(self.of(WARNING))}"
        return "\n".join([f"{self.host or 'This host'} is not ready for its lines ({counts}):", *map(str, shown)])

    @property
    def warnings(self) -> list[str]:
        """The warnings, each in one line with the host's name, as Ansible prints equal ones of several hosts once."""
        place = f"{self.host}, " if self.host else ""
        return [f"{place}{f.subject}: {f.message}; remedy: {f.remedy}" for f in self.of(WARNING)]

    def as_result(self) -> dict[str, Any]:
        """Return the result of the module: the findings, their counts, and facts that the roles use."""
        counts = {severity: len(self.of(severity)) for severity in SEVERITIES}
        findings = [asdict(finding) for finding in self.findings]
        return {
            "findings": findings,
            "counts": counts,
            "networkd": list(self.networkd),
            "requirements": self.requirements,
            "kernel_parameters_pending": self.kernel_parameters_pending,
            "reply_by_mark_needed": self.reply_by_mark_needed,
        }


def judge(desired: Desired, facts: Facts) -> list[Finding]:
    """Return the findings of all checks, the most severe first; findings the caller will fix are downgraded to info."""
    found = [finding for check in CHECKS for finding in check(desired, facts)]
    findings = [
        replace(finding, severity=INFO, will_mend=True)
        if finding.is_fixed_by(desired.kernel_parameters, desired.managed)
        else finding
        for finding in found
    ]
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def run(options: Mapping[str, Any], executor: Executor | None = None) -> Report:
    """Check this host. Raises InvalidInput for bad options; all that the host lacks is a finding.

    ``executor`` reads addresses, routes and policy rules.
    """
    desired = parse_desired(options)
    facts = gather(desired, executor)
    by_mark = desired.auto_reply and filter_checks.translates(desired, facts.filters)
    if by_mark:
        desired = replace(desired, uses_marks=True)
    return Report(
        judge(desired, facts),
        options["fail_on"],
        facts.networkd_knows,
        options["host"],
        requirements.report(),
        _kernel_parameters_pending(options),
        by_mark,
    )


def _kernel_parameters_pending(options: Mapping[str, Any]) -> bool:
    engine = KernelParameterEngine(options["kernel_parameters"], options["file"], options["purge"])
    try:
        return bool(engine.plan(engine.read()).actions)
    except MultihomeError:
        # The module that sets them reports the reason.
        return True
