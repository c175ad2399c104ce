"""Host ranges."""

import re

import pytest

from orch.inventory.ranges import MAX_HOSTS, expand_range


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("web", ["web"]),
        ("web.example_1-x", ["web.example_1-x"]),
        ("w[1:3]", ["w1", "w2", "w3"]),
        ("w[9:11]", ["w9", "w10", "w11"]),
        ("w[09:11]", ["w09", "w10", "w11"]),
        ("w[008:010]", ["w008", "w009", "w010"]),
        ("w[0:2]", ["w0", "w1", "w2"]),
        ("w[1:9:4]", ["w1", "w5", "w9"]),
        ("w[1:8:4]", ["w1", "w5"]),
        ("w[5:5]", ["w5"]),
        ("db-[a:c]", ["db-a", "db-b", "db-c"]),
        ("db-[A:E:2]", ["db-A", "db-C", "db-E"]),
        ("r[1:2]-[a:b]", ["r1-a", "r1-b", "r2-a", "r2-b"]),
        ("[1:2].example", ["1.example", "2.example"]),
        ("2001:db8::1", ["2001:db8::1"]),
        ("2001:db8::[1:2]", ["2001:db8::1", "2001:db8::2"]),
    ],
)
def test_a_range_stands_for_its_names_in_order(written: str, names: list[str]) -> None:
    assert expand_range(written) == names


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("w[3:1]", "the range [3:1] runs backwards"),
        ("w[1:3:0]", "the step of a range must be 1 or more"),
        ("w[c:a]", "the range [c:a] must run upwards, from number to number or letter to letter"),
        ("w[1:c]", "the range [1:c] must run upwards, from number to number or letter to letter"),
        ("w[a:3]", "the range [a:3] must run upwards, from number to number or letter to letter"),
        ("w[A:c]", "the range [A:c] must run upwards, from number to number or letter to letter"),
        ("w[0:10000]", f"the range [0:10000] is more than {MAX_HOSTS} hosts"),
        ("w[1:101]-[1:100]", f"the range 'w[1:101]-[1:100]' is more than {MAX_HOSTS} hosts"),
    ],
)
def test_a_wrong_range_is_refused_with_the_reason(written: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        expand_range(written)


@pytest.mark.parametrize(
    "written", ["", "-web", "web-", ".web", "w b", "w[1:3", "w]", "w[1-3]", "w[1:]", "w[]", "w[aa:ac]", "w/1", "w\n"]
)
def test_what_is_no_host_name_is_refused_with_an_example(written: str) -> None:
    message = f"expected a host name or a range like web[01:20], not {written!r}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        expand_range(written)


def test_the_largest_range_is_read() -> None:
    names = expand_range("w[00001:10000]")

    assert (len(names), names[0], names[-1]) == (MAX_HOSTS, "w00001", "w10000")


def test_an_endless_range_is_refused_as_too_many_hosts() -> None:
    with pytest.raises(ValueError, match=f"is more than {MAX_HOSTS} hosts"):
        expand_range("w[0:99999999999999999999999]")


def test_a_name_of_thousands_of_ranges_is_refused() -> None:
    with pytest.raises(ValueError, match="a host's name has at most 253 characters"):
        expand_range("[1:1]" * 3000)


@pytest.mark.parametrize("written", ["w1:2222", "[2001:db8::1]:22", "w[1:2]:22"])
def test_a_port_in_a_name_is_refused_with_where_it_belongs(written: str) -> None:
    message = f"expected a host name or a range like web[01:20], not {written!r}; a port goes into ansible_port"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        expand_range(written)
