# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host is fit for its lines, told before anything is changed: every finding at once, each with its remedy.

One reader gathers plain facts, one function per check turns them into findings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ..errors import MultihomeError
from ..host import requirements
from ..host.kernel_parameters import KernelParameterEngine
from . import filter_checks, forward_checks, host_checks, routing_checks
from .catalogue import ERROR, INFO, SEVERITIES, WARNING, Finding
from .facts import Facts, gather
from .model import NEVER, Wanted, parse_wanted

Check = Callable[[Wanted, Facts], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    host_checks.interfaces,
    host_checks.ipv6,
    routing_checks.duplicates,
    routing_checks.gateways,
    routing_checks.silent_gateways,
    routing_checks.default_routes,
    routing_checks.tables,
    routing_checks.priorities,
    routing_checks.rule_marks,
    filter_checks.marks,
    forward_checks.forwarded,
    filter_checks.legacy_iptables,
    filter_checks.kernel_features,
    host_checks.forwarding,
    host_checks.rp_filter,
    host_checks.arp,
    host_checks.shared_subnets,
    host_checks.boot,
    host_checks.networkd,
    routing_checks.not_checked,
)


@dataclass(frozen=True)
class Report:
    """All findings, the gravest first; ``fail_on`` is the severity from which on the run fails.

    ``networkd`` are the settings by which a systemd-networkd that runs here leaves alone what is not its own;
    ``host`` is what messages call this host; ``requirements`` are as multihome_info returns them;
    ``kernel_parameters_pending`` tells whether setting the kernel parameters asked for would do anything.
    """

    findings: Sequence[Finding]
    fail_on: str
    networkd: Sequence[str] = ()
    host: str = ""
    requirements: Mapping[str, Any] = field(default_factory=dict)
    kernel_parameters_pending: bool = False

    def of(self, severity: str) -> list[Finding]:
        """Return the findings of a severity."""
        return [finding for finding in self.findings if finding.severity == severity]

    @property
    def failed(self) -> bool:
        """Whether there is a finding for which the run fails."""
        grave = {NEVER: (), ERROR: (ERROR,), WARNING: (ERROR, WARNING)}[self.fail_on]
        return any(finding.severity in grave for finding in self.findings)

    @property
    def message(self) -> str:
        """Every finding that somebody has to see to, as a list for people."""
        shown = [finding for finding in self.findings if finding.severity != INFO]
        counts = f"errors: {len(self.of(ERROR))}, warnings: {len(self.of(WARNING))}"
        return "\n".join([f"{self.host or 'This host'} is not ready for its lines ({counts}):", *map(str, shown)])

    @property
    def warnings(self) -> list[str]:
        """The warnings, each in one line that names the host, since Ansible prints equal ones of several hosts once."""
        place = f"{self.host}, " if self.host else ""
        return [f"{place}{f.subject}: {f.message}; remedy: {f.remedy}" for f in self.of(WARNING)]

    def as_result(self) -> dict[str, Any]:
        """Return ``findings``, how many there are of each severity, and what the roles go by besides."""
        counts = {severity: len(self.of(severity)) for severity in SEVERITIES}
        findings = [asdict(finding) for finding in self.findings]
        return {
            "findings": findings,
            "counts": counts,
            "networkd": list(self.networkd),
            "requirements": self.requirements,
            "kernel_parameters_pending": self.kernel_parameters_pending,
        }


def judge(wanted: Wanted, facts: Facts) -> list[Finding]:
    """Return the findings of all checks, the gravest first. What a role mends by itself is no more than information."""
    found = [finding for check in CHECKS for finding in check(wanted, facts)]
    mended = [
        replace(finding, severity=INFO, will_mend=True)
        if finding.is_mended(wanted.kernel_parameters, wanted.managed)
        else finding
        for finding in found
    ]
    return sorted(mended, key=lambda finding: SEVERITIES.index(finding.severity))


def run(options: Mapping[str, Any]) -> Report:
    """Look at this host. Raises InvalidInput for bad options; whatever the host lacks is a finding."""
    wanted = parse_wanted(options)
    facts = gather(wanted)
    return Report(
        judge(wanted, facts),
        options["fail_on"],
        facts.networkd_knows,
        options["host"],
        requirements.report(),
        _kernel_parameters_pending(options),
    )


def _kernel_parameters_pending(options: Mapping[str, Any]) -> bool:
    engine = KernelParameterEngine(options["kernel_parameters"], options["file"], options["purge"])
    try:
        return bool(engine.plan(engine.read()).actions)
    except MultihomeError:
        # Whoever sets them says why they cannot be set.
        return True
