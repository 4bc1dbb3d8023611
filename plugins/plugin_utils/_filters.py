# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Plain functions as Ansible filters."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from ansible.errors import AnsibleFilterError

from ..module_utils._core.fields import shown
from ._declaration.checks import read_declaration
from ._declaration.model import Declaration
from ._input.addresses import NETADDR_MISSING
from ._input.faults import DeclarationError

P = ParamSpec("P")
R = TypeVar("R")


def as_filter(function: Callable[P, R], without_netaddr: Callable[[], R] | None = None) -> Callable[P, R]:
    """``function`` with its faults as AnsibleFilterError.

    Where netaddr is missing it gives the value of ``without_netaddr``, and raises AnsibleFilterError without that.
    """

    @functools.wraps(function)
    def run(*arguments: P.args, **options: P.kwargs) -> R:
        if NETADDR_MISSING and without_netaddr:
            return without_netaddr()
        if NETADDR_MISSING:
            raise AnsibleFilterError(NETADDR_MISSING)
        try:
            return function(*arguments, **options)
        except DeclarationError as error:
            raise AnsibleFilterError(str(error)) from error

    return run


def netaddr_missing() -> list[str]:
    """That netaddr is missing, as the only fault: a filter of faults says it in a sentence of its own."""
    return [NETADDR_MISSING]


def faults_netaddr_missing() -> dict[str, Any]:
    """The same for a filter of options, which has the faults among others."""
    return {"faults": netaddr_missing()}


def of_host(derive: Callable[[Declaration, str], R]) -> Callable[[object, object], R]:
    """A filter ``declaration | NAME(host)`` from a function of the checked declaration and the host's name."""

    @functools.wraps(derive)
    def run(declaration: object, host: object) -> R:
        if not isinstance(host, str):
            raise DeclarationError([f"the host must be a string, not {shown(host)}"])
        return derive(read_declaration(declaration), host)

    return as_filter(run)
