# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any  # the signature of a filter is its own

from ..plugin_utils._declaration import assigned
from ..plugin_utils._declaration.checks import FIREWALL_GROUP, SERVER_GROUP, examine, read_declaration
from ..plugin_utils._dns import name_servers, records
from ..plugin_utils._filters import as_filter, netaddr_missing, of_host
from ..plugin_utils._inventory.additions import with_inventory
from ..plugin_utils._inventory.contradictions import inventory_faults
from ..plugin_utils._inventory.differences import different_lists
from ..plugin_utils._inventory.group_names import group_faults
from ..plugin_utils._roles.change_summary import summary
from ..plugin_utils._roles.line_routing import MARK_MASK, TABLE_BASE
from ..plugin_utils._roles.module_lists import PathQuery, ReplyLists, Target
from ..plugin_utils._verify import domains, paths, replies, report, seen, targets


def declaration_faults(
    declaration: object,
    groups: Mapping[str, Iterable[str]] | None = None,
    inventory: Mapping[str, object] | None = None,
    firewall_group: str = FIREWALL_GROUP,
    server_group: str = SERVER_GROUP,
) -> list[str]:
    """Every fault of the declaration; none when it is sound.

    With ``inventory``, the variables by host, also lists that differ between hosts, and faults of the roles' variables
    there, which add to the declaration.
    """
    found, faults = examine(declaration, groups, (firewall_group, server_group))
    if inventory is not None:
        played = [host for name in (firewall_group, server_group) for host in (groups or {}).get(name, ())]
        hosts = [*played, *(line.firewall for line in found.lines if line.firewall), *found.server_named]
        inventory = {host: inventory.get(host) for host in hosts}
        faults = different_lists(inventory, inventory) + faults
    if not faults:
        # Playbook deploy calls this in Ansible's main process: all workers then have it read.
        read_declaration(declaration)
    return faults if faults or inventory is None else inventory_faults(found, inventory)


def assigning_hosts(declaration: object) -> list[str]:
    """The hosts that have to be asked for addresses that their ISPs assign."""
    return assigned.hosts(read_declaration(declaration))


def line_check_targets(declaration: object, timeout: float = 3) -> list[Target]:
    """The targets of line_check for a whole declaration."""
    return targets.targets(read_declaration(declaration), timeout)


def confirm_targets(declaration: object, host: str, changing: Iterable[str] = (), timeout: float = 3) -> list[Target]:
    """The targets of line_check that a change of one host must not lose."""
    return targets.settled_targets(read_declaration(declaration), timeout, host, changing)


def path_info_paths(
    declaration: object,
    host: str,
    destinations: Iterable[str],
    mark_mask: object = MARK_MASK,
    answers: Iterable[object] = (),
) -> list[PathQuery]:
    """The paths of path_info on one host."""
    return paths.paths(read_declaration(declaration), host, destinations, mark_mask, answers)


def verify_replies(
    declaration: object, host: str, table_base: object = TABLE_BASE, mark_mask: object = MARK_MASK
) -> ReplyLists:
    """The replies of path_info on one host."""
    return replies.replies(read_declaration(declaration), host, table_base, mark_mask)


def verify_report(
    declaration: object,
    probes: Mapping[str, object],
    paths: Mapping[str, object],
    expect_down: Sequence[str] = (),
    mark_mask: object = MARK_MASK,
    findings: Mapping[str, object] | None = None,
    played: Sequence[str] | None = None,
    translations: Mapping[str, object] | None = None,
    taken_translations: Mapping[str, object] | None = None,
) -> report.Report:
    """The matrix of a verification, and the faults."""
    checked = read_declaration(declaration)
    return report.report(
        checked, probes, paths, expect_down, mark_mask, findings or {}, played, translations or {}, taken_translations
    )


def dns_zone_file(declaration: object, unpublished: bool = False) -> list[str]:
    """The records of all domains as lines of a zone file, or only those that no zone publishes."""
    known = read_declaration(declaration)
    return records.unpublished(known) if unpublished else records.zone_file(known)


def dns_delegation(declaration: object) -> list[str]:
    """The records to enter in the parent zones of the zones whose name servers are on the lines."""
    return name_servers.delegation(read_declaration(declaration))


def verify_domains(declaration: object) -> list[str]:
    """The domains that a verification looks up."""
    return domains.names(read_declaration(declaration))


def verify_domain_faults(
    declaration: object,
    checks: Mapping[str, object],
    lookups: Mapping[str, object],
    rows: Mapping[str, object],
    expect_down: Sequence[str] = (),
) -> list[str]:
    """What is wrong with the answers to the domains."""
    return domains.faults(read_declaration(declaration), checks, lookups, rows, expect_down)


class FilterModule:
    """The filters of the playbooks deploy and verify, besides those that make the roles' variables."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by name."""
        return {
            "declaration_faults": as_filter(declaration_faults, netaddr_missing),
            "group_faults": as_filter(group_faults, list),
            "with_inventory": as_filter(with_inventory),
            "assigning_hosts": as_filter(assigning_hosts),
            "with_assigned": as_filter(assigned.with_assigned),
            "line_check_targets": as_filter(line_check_targets),
            "confirm_targets": as_filter(confirm_targets),
            "with_second_attempts": as_filter(seen.with_second_attempts),
            "services_seen": as_filter(seen.services_seen),
            "path_info_paths": as_filter(path_info_paths),
            "verify_replies": as_filter(verify_replies),
            "verify_report": as_filter(verify_report),
            "verify_domains": as_filter(verify_domains),
            "verify_domain_faults": as_filter(verify_domain_faults),
            "dns_zones": of_host(records.zone_options),
            "dns_line_names": of_host(records.line_names),
            "dns_name_server": of_host(name_servers.name_server),
            "dns_delegation": as_filter(dns_delegation),
            "isp_firewall_zones_on_lines_only": of_host(name_servers.zones_on_lines_only),
            "isp_firewall_other_lines": of_host(name_servers.other_lines),
            "dns_zone_file": as_filter(dns_zone_file),
            "change_summary": as_filter(summary),
        }
