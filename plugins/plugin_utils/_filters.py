# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or go without notice.

"""Plain functions as Ansible filters."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ._addresses import NETADDR_MISSING
from ._checks import read_declaration
from ._declaration import Declaration
from ._faults import DeclarationError, shown


def as_filter(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` with its faults as AnsibleFilterError, and refused where netaddr is missing."""

    @functools.wraps(function)
    def run(*arguments: Any, **options: Any) -> Any:
        if NETADDR_MISSING:
            raise AnsibleFilterError(NETADDR_MISSING)
        try:
            return function(*arguments, **options)
        except DeclarationError as error:
            raise AnsibleFilterError(str(error)) from error

    return run


def of_host(derive: Callable[[Declaration, str], Any]) -> Callable[..., Any]:
    """A filter ``declaration | NAME(host)`` of a function of the sound declaration and the host's name."""

    @functools.wraps(derive)
    def run(declaration: object, host: object) -> Any:
        if not isinstance(host, str):
            raise DeclarationError([f"the host must be a string, not {shown(host)}"])
        return derive(read_declaration(declaration), host)

    return as_filter(run)
