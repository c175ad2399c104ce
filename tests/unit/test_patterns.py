"""Host patterns."""

import re

import pytest

from orch.inventory.matching import Matcher, PatternError, match_hosts

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
        ("w[ab12]", ["w1", "w2"]),
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
        ("web:&odd:!w3", ["w1"]),
        ("web : & odd : ! w3", ["w1"]),
        ("web:&odd,!w3", ["w1"]),
        ("web[0]", ["w1"]),
        ("web[-1]", ["w3"]),
        ("web[0:1]", ["w1", "w2"]),
        ("web[0-1]", ["w1", "w2"]),
        ("web[1:]", ["w2", "w3"]),
        ("web[:1]", ["w1", "w2"]),
        ("web[-2:]", ["w2", "w3"]),
        ("web[0:-2]", ["w1", "w2"]),
        ("web[1:9]", ["w2", "w3"]),
        ("web[2:1]", []),
        ("web[1:-9]", []),
        ("all[0]", ["w1"]),
        ("w*[1]", ["w2"]),
        ("w[ab2]", ["w2"]),
        ("odd[2],!web[0:1]", ["db1"]),
        ("~w[12]", ["w1", "w2"]),
        ("~.*1$", ["w1", "db1"]),
        ("~web", ["w1", "w2", "w3"]),
        ("!~w|db|odd", ["lone"]),
        ("~(w1|db1),lone", ["w1", "db1", "lone"]),
        ("~(?:w1|db1):&web", ["w1"]),
        ("~w{1,2}1,db2", ["w1", "db2"]),
        ("~[:,w]+1", ["w1"]),
        ("~[[w]1", ["w1"]),
        (r"~w1\:?,db2", ["w1", "db2"]),
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


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("web,!&w1", "'!&w1' has two signs; one of & and ! goes before a name"),
        ("web,~w)", "'~w)' is not a regular expression: unbalanced parenthesis at position 1"),
        ("~", "'~' is an empty regular expression"),
        ("@", "'@' names no file; expected @FILE"),
        ("@f", "the file of '@f' is not read here"),
        ("web[1", "'web[1' has a bracket that is not closed"),
        ("web[3]", "'web[3]' begins beyond the end; hosts there: 3, counted from 0"),
        ("db,&web[-4]", "'&web[-4]' begins beyond the end; hosts there: 3, counted from 0"),
        ("empty[0:1]", "'empty[0:1]' begins beyond the end; hosts there: 0, counted from 0"),
    ],
)
def test_a_wrong_part_is_named_with_the_reason(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        match_hosts(pattern, HOSTS, GROUPS)


@pytest.mark.parametrize(("part", "meant"), [("wbe", "web"), ("db3", "db"), ("oddd", "odd"), ("nothing like it", "")])
def test_a_misspelling_is_answered_with_the_nearest_name(part: str, meant: str) -> None:
    with pytest.raises(PatternError) as caught:
        match_hosts(f"all,!{part}", HOSTS, GROUPS)

    assert caught.value.remedy == (f"did you mean {meant!r}?" if meant else "")


ADDRESSES = ["2001:db8::1", "2001:db8::2", "fe80::1"]


@pytest.mark.parametrize(
    ("pattern", "hosts"),
    [
        ("2001:db8::1", ["2001:db8::1"]),
        ("fe80::1, 2001:db8::2", ["2001:db8::2", "fe80::1"]),
        ("all,!2001:db8::1", ["2001:db8::2", "fe80::1"]),
        (r"~2001\:", ["2001:db8::1", "2001:db8::2"]),
    ],
)
def test_an_ipv6_address_may_be_a_hosts_name(pattern: str, hosts: list[str]) -> None:
    assert match_hosts(pattern, ADDRESSES, {"all": ADDRESSES}) == hosts


def from_file(text: str, pattern: str = "@some/hosts") -> list[str]:
    def read(path: str) -> str:
        assert path == "some/hosts"
        return text

    return Matcher(HOSTS, GROUPS, read).match(pattern)


@pytest.mark.parametrize(
    ("text", "pattern", "hosts"),
    [
        ("w2\ndb1\n", "@some/hosts", ["w2", "db1"]),
        ("# those that failed\n\n  w2 # at night\n", "@some/hosts", ["w2"]),
        ("web\n!w1\n", "@some/hosts", ["w2", "w3"]),
        ("web:!w1,lone\n", "@some/hosts", ["w2", "w3", "lone"]),
        ("w1\nw2\n", "all,!@some/hosts", ["w3", "db1", "db2", "lone"]),
        ("w1\ndb1\n", "web,&@some/hosts", ["w1"]),
        ("", "@some/hosts", []),
    ],
)
def test_a_file_of_hosts_has_a_pattern_a_line(text: str, pattern: str, hosts: list[str]) -> None:
    assert from_file(text, pattern) == hosts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("w1\nwbe\n", "some/hosts:2: no host or group is called 'wbe'"),
        ("\n@more\n", "some/hosts:2: '@more' names a file, and a file of hosts names no other"),
        ("w1,,\n", "some/hosts:1: host pattern 'w1,,' has an empty part"),
    ],
)
def test_a_wrong_line_of_a_file_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        from_file(text)
