"""Templates in variables: what they can see, what they give, and how they fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from orch.errors import InputError
from orch.inventory.fleet import Inventory, build_fleet, read_fleet, read_inventory
from orch.inventory.problems import Problems
from orch.located import parse_located


def inventory(folder: Path, variables: str, more: str = "") -> Inventory:
    """Hosts w1.example.com and w2; `variables` are w1's."""
    text = f"web: {{hosts: {{w1.example.com: {{{variables}}}, w2: {{rack: r2}}}}}}\n{more}"
    (folder / "i.yml").write_text(text)
    return read_inventory([folder / "i.yml"], Problems())


def rendered(folder: Path, variables: str, more: str = "") -> object:
    found = inventory(folder, variables, more).templates.get("w1.example.com", "x")
    assert found is not None
    return found.plain()


def refused(folder: Path, variables: str, more: str = "") -> str:
    """The error of x, without the part that is the same for all."""
    with pytest.raises(InputError) as caught:
        rendered(folder, variables, more)
    start = f"{folder}/i.yml:1: web.hosts.w1.example.com."
    assert str(caught.value).startswith(start)
    return str(caught.value).removeprefix(start)


@pytest.mark.parametrize(
    ("variables", "value"),
    [
        ("x: '{{ a }}', a: 1", 1),
        ("x: '{{ a }}', a: '1'", "1"),
        ("x: '{{ a }}', a: true", True),
        ("x: '{{ a }}', a: [1, {b: c}]", [1, {"b": "c"}]),
        ("x: '{{ a }}', a: ", None),
        ("x: '{{ 5 }}'", 5),
        ("x: '{{ 2200 + 22 }}'", 2222),
        ("x: ' {{ a }}', a: 1", " 1"),
        ("x: 'a{{ 1 }}b{{ true }}'", "a1bTrue"),
        ("x: '{% if a %}{{ a }}{% endif %}', a: 7", 7),
        ("x: '{% for n in [1, 2] %}{{ n }}{% endfor %}'", "12"),
        ("x: '{# nothing #}'", ""),
        ("x: ['{{ a }}', {k: 'p{{ a }}'}], a: 1", [1, {"k": "p1"}]),
        ("x: '{{ a }}', a: '{{ b }}', b: '{{ c }}', c: deep", "deep"),
        ("x: '{{ a.b[0] }}', a: {b: ['{{ c }}']}, c: 3", 3),
        ("x: '{{ a | default(4) }}'", 4),
        ("x: '{{ a is defined }}'", False),
        ("x: '{{ [1, 2] | map(\"string\") }}'", ["1", "2"]),
        ("x: '{{ (1, 2) }}'", [1, 2]),
        ("x: !unsafe '{{ a }}'", "{{ a }}"),
        ("x: '{{ inventory_hostname }}'", "w1.example.com"),
        ("x: '{{ inventory_hostname_short }}'", "w1"),
        ("x: '{{ group_names }}'", ["web"]),
        ("x: '{{ groups.web }}'", ["w1.example.com", "w2"]),
        ("x: '{{ groups[\"all\"] | length }}'", 2),
        ("x: '{{ hostvars.w2.rack }}'", "r2"),
        ("x: '{{ hostvars[\"w2\"].get(\"no\", \"n\") }}'", "n"),
        ("x: '{{ hostvars | list }}'", ["w1.example.com", "w2"]),
        ("x: '{{ hostvars[\"w1.example.com\"].a }}', a: '{{ 1 + 1 }}'", 2),
        ("x: '{{ \"yes\" | bool }}'", True),
        ("x: '{{ 0 | bool }}'", False),
        ("x: '{{ a | mandatory }}', a: 1", 1),
        ("x: '{{ \"web-12\" | regex_replace(\"[a-z]+-\", \"w\") }}'", "w12"),
        ("x: '{{ \"A1\" | regex_replace(\"a(.)\", \"b\\\\1\", ignorecase=true) }}'", "b1"),
        ("x: '{{ \"web-12\" | regex_search(\"[0-9]+\") }}'", "12"),
        ("x: '{{ \"a.b\" | split(\".\") }}'", ["a", "b"]),
        ("x: '{{ true | ternary(1, 2) }}'", 1),
        ("x: '{{ [3] * 2 }}'", [3, 3]),
        ("x: '{{ 2 ** 10 }}'", 1024),
    ],
)  # fmt: skip
def test_a_template_sees_the_variables_of_its_host_and_keeps_their_types(
    tmp_path: Path, variables: str, value: object
) -> None:
    found = rendered(tmp_path, variables)

    assert (found, type(found)) == (value, type(value))


def test_the_inventorys_folder_is_known(tmp_path: Path) -> None:
    assert rendered(tmp_path, "x: '{{ inventory_dir }}'") == str(tmp_path)


def test_variables_of_groups_are_rendered_for_each_host(tmp_path: Path) -> None:
    more = "all: {vars: {ansible_user: 'u-{{ inventory_hostname_short }}', orch: {labels: {rack: '{{ rack }}'}}}}"
    fleet = inventory(tmp_path, "rack: r1", more).fleet(Problems())

    assert [(h.login.user, h.node.labels) for h in fleet.hosts] == [
        ("u-w1", {"rack": "r1"}), ("u-w2", {"rack": "r2"}),
    ]  # fmt: skip


def test_the_fleets_own_keys_may_be_templates_over_the_variables_of_all(tmp_path: Path) -> None:
    more = "all: {vars: {stage: prod, orch: {cluster: 'shop-{{ stage }}'}}}"

    assert inventory(tmp_path, "x: 1", more).fleet(Problems()).cluster == "shop-prod"


def test_lookups_fetch_from_the_environment_and_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "user.txt").write_text("deploy\n\n")
    monkeypatch.setenv("FLEET_PORT", "2222")
    monkeypatch.delenv("FLEET_NONE", raising=False)

    assert rendered(tmp_path, 'x: \'{{ lookup("env", "FLEET_PORT") }}\'') == "2222"
    assert rendered(tmp_path, 'x: \'{{ lookup("env", "FLEET_NONE") }}\'') == ""
    assert rendered(tmp_path, 'x: \'{{ lookup("env", "FLEET_NONE", default="d") }}\'') == "d"
    assert rendered(tmp_path, 'x: \'{{ lookup("file", "user.txt") }}\'') == "deploy"


REMEDY = "; define it for this host or its groups, or write {{ … | default(…) }}"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ("x: '{{ nope }}'", f"x: 'nope' is undefined{REMEDY} (for w1.example.com)"),
        ("x: 'a{{ nope }}'", f"x: 'nope' is undefined{REMEDY} (for w1.example.com)"),
        ("x: '{{ a.c }}', a: {b: 1}", f"x: 'mapping' has no attribute 'c'{REMEDY} (for w1.example.com)"),
        ("x: '{{ a }}', a: '{{ nope }}'", f"a: 'nope' is undefined{REMEDY} (for w1.example.com)"),
        ("x: '{{ nope | mandatory(\"needs nope\") }}'", f"x: needs nope{REMEDY} (for w1.example.com)"),
        ("x: '{{ nope | mandatory }}'", f"x: 'nope' is undefined{REMEDY} (for w1.example.com)"),
        ("x: {k: ['{{ nope }}']}", f"x.k[0]: 'nope' is undefined{REMEDY} (for w1.example.com)"),
        ("x: '{{ hostvars.w3.a }}'", f"x: 'hostvars' has no attribute 'w3'{REMEDY} (for w1.example.com)"),
        ("x: '{{ x }}'", "x: refers to itself: x → x"),
        ("x: '{{ a }}', a: '{{ b }}', b: '{{ a }}'", "a: refers to itself: a → b → a"),
        ("x: '{{ hostvars[inventory_hostname].x }}'", "x: refers to itself: x → x"),
        (
            "x: '{{ a'",
            "x: is not a template that can be read: unexpected end of template, expected 'end of print statement'. "
            "(for w1.example.com)",
        ),
        (
            "x: '{{ 1 | nofilter }}'",
            "x: is not a template that can be read: No filter named 'nofilter'. (for w1.example.com)",
        ),
        ("x: '{{ 1 / 0 }}'", "x: the template fails: division by zero (for w1.example.com)"),
        ("x: '{{ \"a\" | int + [] }}'", None),
        ("x: '{{ \"maybe\" | bool }}'", "x: the template fails: expected true or false for `bool`, not 'maybe' (for"),
        ("x: '{{ \"a\" | regex_replace(\"(\", \"\") }}'", None),
        ("x: '{{ 9 ** 9999999 }}'", "x: the template fails: a power beyond all measure (for w1.example.com)"),
        ("x: '{{ \"a\" * 9999999 }}'", "x: the template fails: a repetition beyond all measure (for w1.example.com)"),
        ("x: '{{ 9999999 * \"a\" }}'", "x: the template fails: a repetition beyond all measure (for w1.example.com)"),
        ("x: '{{ a.append(1) }}', a: []", None),
        ("x: '{{ \"\".__class__.__mro__ }}'", None),
        ("x: '{{ range }}'", "x: gives a function, which is no value that YAML could say (for w1.example.com)"),
        ("x: '{{ \"\\ud800\" }}'", None),
        (
            "x: '{{ lookup(\"pipe\", \"id\") }}'",
            "x: the template fails: there is no lookup 'pipe' here; known: 'env', 'file' (for w1.example.com)",
        ),
        ("x: '{{ lookup(\"file\", \"no.txt\") }}'", "x: the template fails: the file no.txt cannot be read: No such"),
        ("x: '{{ lookup(\"env\") }}'", "x: the template fails: expected lookup('env', NAME) (for w1.example.com)"),
        (
            "x: '{{ a }}', a: !vault '$ANSIBLE_VAULT;1.1;AES256 61'",
            "a: is encrypted with ansible-vault, which orch does not decrypt; "
            "take it from elsewhere, as in {{ lookup('env', 'NAME') }}",
        ),
    ],
)  # fmt: skip
def test_a_template_that_fails_names_its_place_and_why(tmp_path: Path, variables: str, message: str | None) -> None:
    said = refused(tmp_path, variables)

    assert said.startswith("x: " if message is None else message)


def test_a_circle_over_two_hosts_names_both(tmp_path: Path) -> None:
    more = "db: {hosts: {w2: {y: '{{ hostvars[\"w1.example.com\"].x }}'}}}"
    with pytest.raises(InputError, match=r"x: refers to itself: x → w2\.y → x$"):
        rendered(tmp_path, "x: '{{ hostvars.w2.y }}'", more)


def test_an_encrypted_file_is_named_where_something_is_missing(tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all").write_text("$ANSIBLE_VAULT;1.1;AES256\n61\n")

    assert refused(tmp_path, "x: '{{ vault_x }}'").endswith(
        f"{REMEDY}; {tmp_path}/group_vars/all might, but ansible-vault has encrypted it, so it was not read "
        "(for w1.example.com)"
    )


@pytest.mark.parametrize(
    "variables",
    ["x: '{{ nope }}'", "x: '{{ x }}'", "x: !vault '$ANSIBLE_VAULT;1.1;AES256 61'", "x: $ANSIBLE_VAULT;1.1;AES256"],
)
def test_what_is_not_acted_on_may_be_wrong(tmp_path: Path, variables: str) -> None:
    assert len(inventory(tmp_path, variables).fleet(Problems()).hosts) == 2


@pytest.mark.parametrize("value", ["!vault '$ANSIBLE_VAULT;1.1;AES256 61'", "$ANSIBLE_VAULT;1.1;AES256"])
def test_what_is_acted_on_may_not_be_encrypted(tmp_path: Path, value: str) -> None:
    with pytest.raises(InputError, match="ansible_password: is encrypted with ansible-vault, which orch does not"):
        inventory(tmp_path, f"ansible_password: {value}").fleet(Problems())


@pytest.mark.parametrize("name", ["ansible_host", "ansible_user", "ansible_connection", "ansible_become_password"])
def test_a_wrong_template_is_refused_where_it_is_acted_on(name: str) -> None:
    text = f"all:\n  vars:\n    {name}: '{{{{ secret }}}}'\n  hosts: {{w1: }}\n"
    with pytest.raises(InputError, match=rf"^i\.yml:3: all\.vars\.{name}: 'secret' is undefined"):
        build_fleet([parse_located(text, "i.yml")], Path("/fleet"))


def test_a_chain_without_end_is_refused(tmp_path: Path) -> None:
    chain = ", ".join(f"v{n}: '{{{{ v{n + 1} }}}}'" for n in range(2000))
    with pytest.raises(InputError, match="recursion"):
        rendered(tmp_path, f"x: '{{{{ v0 }}}}', v2000: end, {chain}")


def test_the_variable_orch_itself_is_a_mapping_and_no_template(tmp_path: Path) -> None:
    (tmp_path / "i.yml").write_text("all: {hosts: {w1: {orch: '{{ common }}'}}}")
    with pytest.raises(InputError, match=r"orch: expected a mapping, not '\{\{ common \}\}'$"):
        read_fleet([tmp_path / "i.yml"])
