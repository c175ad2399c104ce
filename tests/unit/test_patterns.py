"""Host patterns."""

import re

import pytest

from orch.inventory.patterns import match_hosts

HOSTS = ["w1", "w2", "w3", "db1", "db2", "lone"]
GROUPS = {
    "all": HOSTS,
    "web": ["w1", "w2", "w3"],
    "db": ["db1", "db2"],
    "odd": ["w1", "w3", "db1"],
    "empty": [],
}


@pytest.mark.parametrize(
    ("pattern", "hosts"),
    [
        ("all", HOSTS),
        ("*", HOSTS),
        ("web", ["w1", "w2", "w3"]),
        ("w2", ["w2"]),
        ("db,w2", ["w2", "db1", "db2"]),
        ("db:w2", ["w2", "db1", "db2"]),
        (" db , w2 ", ["w2", "db1", "db2"]),
        ("w*", ["w1", "w2", "w3"]),
        ("we?", ["w1", "w2", "w3"]),
        ("?1", ["w1"]),
        ("w[12]", ["w1", "w2"]),
        ("w[!12]", ["w3"]),
        ("d*", ["db1", "db2"]),
        ("nothing*", []),
        ("web,&odd", ["w1", "w3"]),
        ("web,!w2", ["w1", "w3"]),
        ("!w2,web", ["w1", "w3"]),
        ("!web", ["db1", "db2", "lone"]),
        ("&odd", ["w1", "w3", "db1"]),
        ("&odd,!db", ["w1", "w3"]),
        ("!db,&odd", ["w1", "w3"]),
        ("web,db,&odd,!w1", ["w3", "db1"]),
        ("all,!all", []),
        ("!l*", ["w1", "w2", "w3", "db1", "db2"]),
        ("empty", []),
        ("all,!empty", HOSTS),
        ("web,&empty", []),
        ("web,web", ["w1", "w2", "w3"]),
    ],
)
def test_a_pattern_names_hosts_in_the_order_of_the_inventory(pattern: str, hosts: list[str]) -> None:
    assert match_hosts(pattern, HOSTS, GROUPS) == hosts


@pytest.mark.parametrize("pattern", ["", " ", ",", "web,", ":web", "web,,db", "!", "&", "web,!"])
def test_an_empty_part_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(f'host pattern {pattern!r} has an empty part')}$"):
        match_hosts(pattern, HOSTS, GROUPS)


@pytest.mark.parametrize(
    ("pattern", "part"), [("wbe", "wbe"), ("web,w9", "w9"), ("all,!wbe", "wbe"), ("web,&wbe", "wbe"), ("W1", "W1")]
)
def test_a_part_that_names_nothing_is_taken_for_a_misspelling(pattern: str, part: str) -> None:
    with pytest.raises(ValueError, match=f"^no host or group is called {re.escape(repr(part))}$"):
        match_hosts(pattern, HOSTS, GROUPS)
