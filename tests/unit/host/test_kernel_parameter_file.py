# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, values and the text of the file: two ways of writing a name are one, and what is written is read back."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.multihome.linux.plugins.module_utils._core.host.kernel_parameter_file import (
    HEADER,
    Parameter,
    parameter_name,
    parameter_path,
    parameter_value,
    parse_file,
    render,
    setting_order,
)
from hypothesis import given
from hypothesis import strategies as st

PART = st.from_regex(r"[a-z0-9_][a-z0-9_@:-]{0,8}", fullmatch=True)
DOTTED_PART = st.from_regex(r"[a-z0-9_][a-z0-9_.-]{0,8}[a-z0-9]", fullmatch=True)
PATH = st.tuples(PART, st.lists(st.one_of(PART, DOTTED_PART), min_size=1, max_size=5)).map(
    lambda parts: "/".join([parts[0], *parts[1]])
)
VALUE = st.text(st.characters(exclude_categories=("C", "Z")) | st.just(" "), max_size=20).map(
    lambda text: " ".join(text.split())
)
PARAMETERS = st.lists(
    st.builds(Parameter, PATH, VALUE, st.booleans()), unique_by=lambda parameter: parameter.path, max_size=8
)


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0/100.rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
        ("net/ipv4/conf/eth0.100/rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
        ("kernel.domainname", "kernel/domainname"),
    ],
)
def test_both_separators_are_read_as_sysctl_d_says(written: str, path: str) -> None:
    assert parameter_path(written) == path


@pytest.mark.parametrize(
    "written",
    [
        "",
        "ip_forward",
        "/proc/sys/net/ipv4/ip_forward",
        "net..ipv4",
        "net.ipv4.",
        "net/../kernel/core_pattern",
        "net/./ipv4",
        "net.//.ipv4",
        "net.ipv4.conf.*.rp_filter",
        "net.ipv4.conf.eth?.rp_filter",
        "net.ipv4.conf.[a-z].rp_filter",
        "net.ipv4.ip forward",
        "net.ipv4.ip_forward=1",
        "-net.ipv4.ip_forward",
        "#net.ipv4.ip_forward",
        "net.ipv4.ip_forward\n",
        5,
        None,
    ],
)
def test_what_is_no_name_is_refused(written: Any) -> None:
    with pytest.raises(ValueError, match=r"not (a|one) "):
        parameter_path(written)


@given(PATH)
def test_a_name_leads_back_to_its_path(path: str) -> None:
    name = parameter_name(path)
    assert parameter_path(name) == path
    assert "/" not in name or "." in path


@pytest.mark.parametrize(("written", "value"), [(1, "1"), (" 4096\t87380  6291456\n", "4096 87380 6291456"), ("", "")])
def test_values_are_compared_with_single_spaces(written: Any, value: str) -> None:
    assert parameter_value(written) == value


@pytest.mark.parametrize("written", [True, None, 1.5, [], "a\x00b"])
def test_what_is_no_value_is_refused(written: Any) -> None:
    with pytest.raises(ValueError, match=r"neither text|printed"):
        parameter_value(written)


@pytest.mark.parametrize("value", ["01", "-08", "00"])
def test_a_number_with_a_leading_zero_is_refused_because_the_kernel_shows_another(value: str) -> None:
    with pytest.raises(
        InvalidInput, match=f'value "{value}": Linux takes a number with a leading zero for an octal one'
    ):
        Parameter.parse({"name": "net.ipv4.ip_forward", "value": value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("net.ipv4.ip_forward", "0"),
        ("net.ipv4.ip_forward", "-1"),
        ("net.ipv4.tcp_rmem", "4096 0131072 6291456"),
        ("net.core.flow_limit_cpu_bitmap", "03"),
        ("net.core.rps_default_mask", "00"),
        ("net.ipv6.conf.eth0.stable_secret", "0001:0002::"),
    ],
)
def test_other_values_with_zeros_are_accepted(name: str, value: str) -> None:
    assert Parameter.parse({"name": name, "value": value}).value == value


@given(PARAMETERS)
def test_what_is_written_is_read_back(parameters: list[Parameter]) -> None:
    text = render(parameters)
    assert sorted(parse_file(text), key=lambda item: item.path) == sorted(parameters, key=lambda item: item.path)
    # Reading and writing again changes nothing: the file is its own normal form.
    assert render(parse_file(text)) == text


def test_the_text_of_the_file_and_its_order() -> None:
    parameters = [
        Parameter("net/ipv4/conf/eth0/forwarding", "0"),
        Parameter("net/ipv4/conf/eth0.100/rp_filter", "2", optional=True),
        Parameter("net/ipv4/conf/default/rp_filter", "2"),
        Parameter("net/ipv4/ip_forward", "1"),
        Parameter("net/ipv6/conf/all/forwarding", "1"),
    ]
    assert render(parameters) == (
        f"{HEADER}\n"
        "net.ipv4.ip_forward = 1\n"
        "net.ipv6.conf.all.forwarding = 1\n"
        "net.ipv4.conf.default.rp_filter = 2\n"
        "-net/ipv4/conf/eth0.100/rp_filter = 2\n"
        "net.ipv4.conf.eth0.forwarding = 0\n"
    )


def test_no_file_and_nothing_to_write_are_the_same() -> None:
    assert parse_file(None) == []
    assert render([]) is None


def test_a_file_of_ours_is_read_whatever_its_layout() -> None:
    text = f"{HEADER}\n\n; a word\n# another\n  net/ipv4/ip_forward=0\n-net.ipv4.ip_forward =\t 1 \n"
    assert parse_file(text) == [Parameter("net/ipv4/ip_forward", "1", optional=True)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not written by this collection"),
        ("net.ipv4.ip_forward = 1\n", "not written by this collection"),
        (f"# {HEADER}\n", "not written by this collection"),
        (f"{HEADER}\nnet.ipv4.ip_forward\n", 'line 2, "net.ipv4.ip_forward": not NAME = VALUE'),
        (f"{HEADER}\nnet.ipv4.conf.*.rp_filter = 1\n", "line 2, .*: not one kernel parameter"),
    ],
)
def test_a_foreign_line_is_named_by_its_number(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_file(text)


def test_an_interface_keeps_listening_before_forwarding_is_switched_on() -> None:
    paths = ["net/ipv6/conf/all/forwarding", "net/ipv6/conf/wan0/accept_ra", "net/ipv6/conf/wan0/forwarding"]
    assert sorted(paths, key=setting_order) == [
        "net/ipv6/conf/wan0/accept_ra",
        "net/ipv6/conf/all/forwarding",
        "net/ipv6/conf/wan0/forwarding",
    ]
