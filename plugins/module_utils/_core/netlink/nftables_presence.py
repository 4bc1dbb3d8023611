# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the kernel has a table of nftables, asked without the program nft: it may be missing or broken.

Source: linux/netfilter/nfnetlink.h and linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

import errno
import struct

from .transport import NetlinkSocket, RequestFailed

_NETLINK_NETFILTER = 12
_GET_TABLE = (10 << 8) | 1  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETTABLE
_REQUEST = 0x001
_INET = 1  # NFPROTO_INET
_TABLE_NAME = 1  # NFTA_TABLE_NAME
_FAMILY = struct.Struct("=BBH")  # struct nfgenmsg
_ATTRIBUTE = struct.Struct("=HH")


def table_exists(name: str) -> bool | None:
    """Return whether the table ``inet NAME`` exists in this network namespace; None where the kernel does not say."""
    text = name.encode() + b"\0"
    attribute = _ATTRIBUTE.pack(_ATTRIBUTE.size + len(text), _TABLE_NAME) + text
    content = _FAMILY.pack(_INET, 0, 0) + attribute + b"\0" * (-len(attribute) % 4)
    try:
        socket = NetlinkSocket(_NETLINK_NETFILTER)
    except OSError:
        return None
    try:
        socket.request(_GET_TABLE, _REQUEST, content)
    except RequestFailed as error:
        return False if error.code == errno.ENOENT else None
    except OSError:
        return None
    finally:
        socket.close()
    return True
