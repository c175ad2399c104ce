"""`orch inventory list · graph · host · check`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from orch.cli.main import run_cli

INVENTORY = """\
all:
  vars:
    ansible_user: deploy
    secret_word: hunter2
    ansible_become_password: "{{ secret_word }}"
    note: "the word is {{ secret_word }}"
    orch: {cluster: prod}
  children:
    prod:
      children:
        web: {hosts: {"w[1:2]": }}
        db: {hosts: {d1: {ansible_host: 192.0.2.1, ansible_port: 2222}}}
  hosts: {lone: {ansible_connection: local}}
web:
  vars:
    unused: "{{ nothing }}"
    deep: {b: ["{{ ansible_user }}"], api_key: k}
    orch: {labels: {tier: web}, taints: ["a:NoExecute"], reserved: {cpus: 0.5, memory: 1g}}
"""


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("ORCH_INVENTORY", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inventory.yml").write_text(INVENTORY)
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "host_vars" / "w1.yml").write_text("\nansible_port: 22\norch: {labels: {rack: r1}}\n")
    return tmp_path


class Said:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str, status: int = 0) -> str:
        """What `orch inventory …` prints."""
        assert run_cli(["inventory", *words]) == status
        said = self._capsys.readouterr()
        return said.err if status else said.out


@pytest.fixture
def said(at_home: Path, capsys: pytest.CaptureFixture[str]) -> Said:
    return Said(capsys)


def test_list_has_a_line_for_each_host(said: Said) -> None:
    assert said("list") == (
        "NAME  ADDRESS         USER    GROUPS     LABELS\n"
        "w1    w1:22           deploy  prod,web   rack=r1,tier=web\n"
        "w2    w2              deploy  prod,web   tier=web\n"
        "d1    192.0.2.1:2222  deploy  db,prod    -\n"
        "lone  this machine    deploy  ungrouped  -\n"
    )
    assert said("list", "prod:!web", "-o", "name") == "d1\n"
    assert said("list", "w1", "-o", "wide").splitlines()[1].split() == [
        "w1", "w1:22", "deploy", "prod,web", "rack=r1,tier=web", "a:NoExecute", "yes", "inventory.yml:11",
    ]  # fmt: skip


def test_list_for_programs_has_the_fleet_its_hosts_and_its_groups(said: Said) -> None:
    found = json.loads(said("list", "w2,d1", "-o", "json"))

    assert found == yaml.safe_load(said("list", "w2,d1", "-o", "yaml"))
    assert (found["cluster"], found["container_range"]) == ("prod", "10.64.0.0/12")
    assert list(found["hosts"]) == ["w2", "d1"]
    assert found["groups"]["prod"] == {"hosts": [], "children": ["web", "db"]}
    assert found["groups"]["web"] == {"hosts": ["w2"], "children": []}
    assert found["groups"]["all"] == {"hosts": [], "children": ["ungrouped", "prod"]}
    assert found["hosts"]["w2"]["node"] == {
        "labels": {"tier": "web"},
        "taints": ["a:NoExecute"],
        "schedulable": True,
        "capacity": {"cpus": None, "memory": None},
        "reserved": {"cpus": 0.5, "memory": 1 << 30},
    }
    assert (found["hosts"]["d1"]["login"]["port"], found["hosts"]["d1"]["groups"]) == (2222, ["db", "prod"])


def test_list_for_a_pattern_that_names_nothing_is_a_usage_error(said: Said) -> None:
    assert said("list", "wbe", status=2) == (
        "orch: no host or group is called 'wbe' in inventory.yml; did you mean 'web'?\n"
    )


def test_a_pattern_may_name_a_file_of_hosts(at_home: Path, said: Said) -> None:
    (at_home / "failed").write_text("w2\nd1\n")

    assert said("list", "@failed:!db", "-o", "name") == "w2\n"
    assert said("list", "@none", status=2) == "orch: the file none cannot be read: No such file or directory\n"


def test_graph_draws_the_groups_as_ansible_does(said: Said) -> None:
    assert said("graph") == (
        "@all:\n"
        "  |--@ungrouped:\n"
        "  |  |--lone\n"
        "  |--@prod:\n"
        "  |  |--@web:\n"
        "  |  |  |--w1\n"
        "  |  |  |--w2\n"
        "  |  |--@db:\n"
        "  |  |  |--d1\n"
    )


def test_graph_of_a_group_begins_there_and_of_a_pattern_has_its_hosts_alone(said: Said) -> None:
    assert said("graph", "web") == "@web:\n  |--w1\n  |--w2\n"
    assert said("graph", "w2,d1:!db") == "@all:\n  |--@prod:\n  |  |--@web:\n  |  |  |--w2\n"
    assert said("graph", "prod", "-o", "name") == "w1\nw2\nd1\n"
    assert json.loads(said("graph", "web", "-o", "json")) == {"name": "web", "children": [], "hosts": ["w1", "w2"]}


def test_host_says_where_each_value_comes_from_and_what_becomes_of_it(said: Said) -> None:
    assert [line.split(maxsplit=1) for line in said("host", "w1").splitlines() if line] == [
        ["VARIABLE", "VALUE".ljust(said_width(said)) + "FROM"],
        *([name, value.ljust(said_width(said)) + place] for name, value, place in W1),
        ["MADE", "OF IT       VALUE"],
        ["address", "w1"],
        ["port", "22"],
        ["user", "deploy"],
        ["connection", "ssh"],
        ["become_password", "…"],
        ["labels", "rack=r1,tier=web"],
        ["taints", "a:NoExecute"],
        ["schedulable", "yes"],
        ["reserved", "0.5 cpus, 1g memory"],
    ]


UNDEFINED = "'nothing' is undefined; define it for this host or its groups, or write {{ … | default(…) }} (for w1)"
W1 = [
    ("ansible_become_password", "…", "inventory.yml:5"),
    ("ansible_port", "22", "host_vars/w1.yml:2"),
    ("ansible_user", "deploy", "inventory.yml:3"),
    ("deep", '{"b":["deploy"],"api_key":"…"}', "inventory.yml:17"),
    ("note", "the word is …", "inventory.yml:6"),
    ("orch.cluster", "prod", "inventory.yml:7"),
    ("orch.labels.rack", "r1", "host_vars/w1.yml:3"),
    ("orch.labels.tier", "web", "inventory.yml:18"),
    ("orch.reserved.cpus", "0.5", "inventory.yml:18"),
    ("orch.reserved.memory", "1g", "inventory.yml:18"),
    ("orch.taints", '["a:NoExecute"]', "inventory.yml:18"),
    ("secret_word", "…", "inventory.yml:4"),
    ("unused", f"inventory.yml:16: web.vars.unused: {UNDEFINED}", "inventory.yml:16"),
]


def said_width(said: Said) -> int:
    return max(len(value) for _, value, _ in W1) + 2


def test_host_for_programs_keeps_the_types_of_values(said: Said) -> None:
    found = json.loads(said("host", "w1", "-o", "json"))
    values = {v["name"]: v["value"] for v in found["variables"]}

    assert [v["from"] for v in found["variables"]] == [place for _, _, place in W1]
    assert (values["ansible_port"], values["deep"]) == (22, {"b": ["deploy"], "api_key": "…"})
    assert found["variables"][-1]["error"] == f"inventory.yml:16: web.vars.unused: {UNDEFINED}"
    assert (found["login"]["become_password"], found["login"]["password"]) == ("…", "")
    assert (found["name"], found["place"], found["groups"]) == ("w1", "inventory.yml:11", ["prod", "web"])
    assert said("host", "lone", "-o", "name").split()[0] == "ansible_become_password"


def test_no_secret_is_ever_printed(said: Said) -> None:
    for output in ("table", "json", "yaml", "wide"):
        assert "hunter2" not in said("host", "w1", "-o", output) + said("list", "-o", output)


def test_an_encrypted_value_is_shown_as_what_it_is(at_home: Path, said: Said) -> None:
    (at_home / "host_vars" / "w2").write_text("x: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n")

    assert "x                        encrypted with ansible-vault" in said("host", "w2")


def test_a_host_that_is_not_there_is_a_usage_error(said: Said) -> None:
    assert said("host", "lonee", status=2) == "orch: no host is called 'lonee' in inventory.yml; did you mean 'lone'?\n"


def test_check_renders_everything(at_home: Path, said: Said) -> None:
    assert said("check", status=2) == (
        f"orch: inventory.yml:16: web.vars.unused: {UNDEFINED.replace('w1', 'w1 and 1 more')}\norch: 1 error\n"
    )
    (at_home / "inventory.yml").write_text(INVENTORY.replace("nothing", "ansible_user"))
    assert said("check") == "4 hosts, 5 groups, no errors\n"
    assert json.loads(said("check", "-o", "json")) == []


WRONG = """\
all:
  hosts:
    w1: {ansible_port: 0, ansible_become: maybe, orch: {taints: [x], labels: {a b: c}}}
    w 2:
    w3: {ansible_ssh_common_args: -o StrictHostKeyChecking=no, x: "{{ x }}"}
    w4: {ansible_host: w3, orch: {cluster: c}}
  vars: []
web: {hostss: , vars: {orch: {label: }}}
db: {children: {all: , db2: 5}, vars: {y: "{{ z"}, hosts: {w1: }}
"""


def test_check_finds_every_error_there_is(at_home: Path, said: Said) -> None:
    (at_home / "inventory.yml").write_text(WRONG)
    (at_home / "broken.yml").write_text("all: [")
    (at_home / "host_vars" / "w1.yml").unlink()
    (at_home / "host_vars" / "w3.yml").write_text("- x\n")
    found = said("check", "-i", "broken.yml", "-i", "inventory.yml", status=2).splitlines()

    assert [line.removeprefix("orch: ").split(": ")[0:2] for line in found[:-1]] == [
        ["broken.yml:1", "expected the node content, but found '<stream end>'"],
        ["host_vars/w3.yml:1", "expected a mapping, not a list"],
        ["inventory.yml:3", "all.hosts.w1.ansible_become"],
        ["inventory.yml:3", "all.hosts.w1.ansible_port"],
        ["inventory.yml:3", "all.hosts.w1.orch.labels.a b"],
        ["inventory.yml:3", "all.hosts.w1.orch.taints[0]"],
        ["inventory.yml:4", "all.hosts.w 2"],
        ["inventory.yml:5", "all.hosts.w3.ansible_ssh_common_args"],
        ["inventory.yml:5", "all.hosts.w3.x"],
        ["inventory.yml:6", "all.hosts.w4.orch.cluster"],
        ["inventory.yml:6", "all.hosts.w4"],
        ["inventory.yml:7", "all.vars"],
        ["inventory.yml:8", "web.hostss"],
        ["inventory.yml:9", "db.children.all"],
        ["inventory.yml:9", "db.children.db2"],
        ["inventory.yml:9", "db.vars.y"],
    ]
    assert found[-1] == "orch: 16 errors"


def test_what_is_encrypted_and_not_acted_on_is_no_error(at_home: Path, said: Said) -> None:
    (at_home / "inventory.yml").write_text("all: {hosts: {w2: {x: !vault '$ANSIBLE_VAULT;1.1;AES256 61'}}}")

    assert said("check") == "1 host, 2 groups, no errors\n"


def test_check_says_which_files_it_could_not_read(at_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (at_home / "inventory.yml").write_text("all: {hosts: {w2: }}")
    (at_home / "host_vars" / "w2.yml").write_text("$ANSIBLE_VAULT;1.1;AES256\n61\n")
    assert run_cli(["inventory", "check"]) == 0
    assert capsys.readouterr().err == "orch: host_vars/w2.yml is encrypted with ansible-vault and was not read\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: {children: {b: }}\nb: {children: {a: }}\n", "inventory.yml:2: b.children.a: the group contains itself"),
        ("{}", "inventory.yml: names no hosts; expected all: hosts: NAME: …"),
    ],
)
def test_check_stops_where_there_is_nothing_more_to_look_at(at_home: Path, said: Said, text: str, message: str) -> None:
    (at_home / "inventory.yml").write_text(text)

    assert said("check", status=2).startswith(f"orch: {message}")


@pytest.mark.parametrize(("template", "imported"), [("plain", False), ("{{ inventory_hostname }}", True)])
def test_jinja2_is_imported_for_templates_alone(at_home: Path, template: str, imported: bool) -> None:
    (at_home / "inventory.yml").write_text(f"all: {{hosts: {{w1: {{ansible_user: '{template}', u: '{{{{ 1 }}}}'}}}}}}")
    program = (
        "import sys; from orch.cli.main import run_cli; assert run_cli(['inventory', 'list']) == 0;"
        "sys.exit('jinja2' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, cwd=at_home)
    assert done.returncode == imported, done.stderr
