"""Several files that make one stack, and files as careless editors leave them."""

from __future__ import annotations

from pathlib import Path

import pytest

from orch.errors import InputError
from orch.stackfile.compose import StackFile, read_stack


class Files:
    """A folder to write files into and to read stacks from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __setitem__(self, name: str, text: str | bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)

    def read(self, *names: str, **options: object) -> StackFile:
        paths = [self.folder / name for name in names or ("compose.yml",)]
        return read_stack(paths, name=None, **{"variables": {}, **options})  # type: ignore[arg-type]

    def refused(self, *names: str, **options: object) -> str:
        with pytest.raises(InputError) as caught:
            self.read(*names, **options)
        return str(caught.value).replace(f"{self.folder}/", "")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "shop")


SERVICE = "services: {web: {image: app}}\n"


@pytest.mark.parametrize(
    "text",
    [
        SERVICE.replace("\n", "\r\n"),
        "\ufeff" + SERVICE,
        "\ufeffservices:\r\n  web:\r\n    image: app\r\n",
        "---\n" + SERVICE + "...\n",
        "%YAML 1.2\n---\n" + SERVICE,
        "# only this\n\n" + SERVICE + "\n\n\n",
        "services:\n  web:\n    image: app\t# a tab before a comment\n",
        "services:\n    web:\n            image:    'app'   \n",
        '{"services": {"web": {"image": "app"}}}',
    ],
    ids=["crlf", "bom", "bom and crlf", "document", "directive", "comments", "tab", "indent", "json"],
)
def test_odd_files_are_read(files: Files, text: str) -> None:
    files["compose.yml"] = text

    assert files.read().spec.services[0].image == "docker.io/library/app:latest"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"services:\n\tweb: {image: app}\n", "compose.yml:2: found character '\\t' that cannot start any token"),
        (SERVICE.encode("utf-16"), "compose.yml: is not UTF-8 text (byte 0)"),
        (b"services: {web: {image: caf\xe9}}", "compose.yml: is not UTF-8 text (byte 27)"),
        (b"services:\n  web: {}\n  web: {}\n", "compose.yml:3: services.web: stands twice, first on line 2"),
        (b"services: {web: {image: a\n", "compose.yml:2: expected ',' or '}', but got '<stream end>'"),
        (b"a: 1\n---\nb: 2\n", "compose.yml:2: but found another document"),
        (b"services: {web: *nothing}\n", "compose.yml:1: found undefined alias 'nothing'"),
        (b"services: &s {web: {image: a, x-s: *s}}\n", "compose.yml:1: services.web.x-s: contains itself"),
        (b"x: " + b"[" * 3000, "compose.yml: is nested too deeply"),
        (b"services: {web: !reste a}\n", "compose.yml:1: could not determine a constructor for the tag '!reste'"),
        (b"just text", "compose.yml:1: expected a mapping, not 'just text'"),
        (b"", "compose.yml: has no services; expected services: NAME: image: …"),
    ],
    ids=["tab", "utf-16", "latin-1", "twice", "cut", "two", "alias", "itself", "deep", "tag", "text", "empty"],
)  # fmt: skip
def test_files_that_are_none_are_refused(files: Files, text: bytes, message: str) -> None:
    files["compose.yml"] = text

    assert files.refused() == message


def test_a_later_file_changes_an_earlier_one_and_each_error_names_its_own(files: Files) -> None:
    files["compose.yml"] = "services:\n  web:\n    image: app:1\n    command: [a]\n"
    files["prod.yml"] = "services:\n  web:\n    command: b\n    scale: 3\n"
    files["wrong.yml"] = "services:\n  web:\n    scale: many\n"

    web = files.read("compose.yml", "prod.yml").spec.services[0]
    assert (web.image, web.command, web.replicas) == ("docker.io/library/app:1", ("b",), 3)
    assert (
        files.refused("compose.yml", "wrong.yml")
        == "wrong.yml:3: services.web.scale: expected a whole number from 0, not 'many'"
    )
    assert (
        files.refused("prod.yml") == "prod.yml:2: services.web: has no image; orch runs images and does not build them"
    )


def test_paths_begin_in_the_folder_of_the_first_file(files: Files) -> None:
    files["compose.yml"] = SERVICE
    files["deeper/prod.yml"] = "services: {web: {env_file: one.env}}"
    files["one.env"] = "A=first folder"

    assert files.read("compose.yml", "deeper/prod.yml").spec.services[0].environment == {"A": "first folder"}


def test_the_last_name_counts_unless_one_is_given(files: Files) -> None:
    files["compose.yml"] = "name: first\n" + SERVICE
    files["prod.yml"] = "name: ${NAME}\n" + SERVICE

    assert files.read().spec.name == "first"
    assert files.read("compose.yml", "prod.yml", variables={"NAME": "second"}).spec.name == "second"
    assert files.read(variables={"COMPOSE_PROJECT_NAME": "third"}).spec.name == "third"
    assert (
        files.refused(variables={"COMPOSE_PROJECT_NAME": "My Shop"})
        == "compose.yml: COMPOSE_PROJECT_NAME is 'My Shop': a name is made of a-z, 0-9, - and _"
    )


def test_variables_come_from_the_shell_then_from_env_files_or_else_from_the_folders(files: Files) -> None:
    files["compose.yml"] = "services: {web: {image: 'app:$A-$B'}}"
    files[".env"] = "A=env\nB=env"
    files["one.env"] = "A=one\nB=one"
    files["two.env"] = "B=two$A"

    def image(**options: object) -> str:
        return files.read(**options).spec.services[0].image.partition(":")[2]

    given = [files.folder / "one.env", files.folder / "two.env"]
    assert image() == "env-env"
    assert image(variables={"A": "shell"}) == "shell-env"
    assert image(env_files=given) == "one-twoone"
    assert image(env_files=given, variables={"A": "shell"}) == "shell-twoshell"
    assert files.refused(env_files=[files.folder / "no.env"]) == "no.env: cannot be read: No such file or directory"


def test_bytes_of_the_shell_that_are_no_text_are_refused(files: Files) -> None:
    shell = {"BYTES": b"\xff".decode("utf-8", "surrogateescape")}
    files["bytes.env"] = "OTHER=<$BYTES>"
    files["compose.yml"] = "services: {web: {image: app, environment: [BYTES]}}"
    passed_on = files.refused(variables=shell)
    files["compose.yml"] = "services: {web: {image: app, command: [$BYTES]}}"
    filled_in = files.refused(variables=shell)
    files["compose.yml"] = "services: {web: {image: app, env_file: bytes.env}}"
    from_file = files.refused(variables=shell)
    files["compose.yml"] = "services: {web: {image: app, label_file: bytes.env}}"
    label = files.refused(variables=shell)
    files["compose.yml"] = "services: {web: {image: app, secrets: [s]}}\nsecrets: {s: {environment: BYTES}}"

    said = "contains bytes that are no text, from a variable"
    assert passed_on == f"compose.yml:1: services.web.environment[0]: 'BYTES' {said}"
    assert filled_in == f"compose.yml:1: services.web.command[0]: {said}"
    assert from_file == f"compose.yml:1: services.web.env_file: 'OTHER' {said}"
    assert label == f"compose.yml:1: services.web.label_file: 'OTHER' {said}"
    assert files.read(variables=shell).spec.files[0].content == b"\xff"


def test_a_file_of_variables_that_may_be_missing_may_have_any_name(files: Files) -> None:
    files["compose.yml"] = f"services: {{web: {{image: app, env_file: {{path: {'x' * 300}, required: no}}}}}}"

    assert files.read().spec.services[0].environment == {}


def test_a_folder_called_env_is_no_file_of_variables(files: Files) -> None:
    files["compose.yml"] = SERVICE
    files[".env/bin/python"] = ""

    assert files.read().warnings == ()


def test_services_of_other_profiles_are_left_out(files: Files) -> None:
    files["compose.yml"] = """
services:
  always: {image: app}
  debug: {image: app, profiles: [debug]}
  tools: {image: app, profiles: [tools, debug], depends_on: [debug]}
"""

    def names(**options: object) -> list[str]:
        return [service.name for service in files.read(**options).spec.services]

    assert names() == ["always"]
    assert names(profiles=["debug"]) == ["always", "debug", "tools"]
    assert names(profiles=["*"]) == ["always", "debug", "tools"]
    assert names(variables={"COMPOSE_PROFILES": "debug,x"}) == ["always", "debug", "tools"]
    assert names(profiles=["x"], variables={"COMPOSE_PROFILES": "debug"}) == ["always"]
    assert (
        files.refused(profiles=["tools"])
        == "compose.yml:5: services.tools.depends_on[0]: there is no service 'debug', or none whose profile is enabled"
    )
    files["compose.yml"] = "services: {a: {image: app, profiles: [one, two]}}"
    assert files.refused() == "compose.yml: no service is enabled; --profile NAME enables some, of one, two"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "services:\n  a: {extends: b}\n  b: {extends: a}\n",
            "compose.yml:2: services.a.extends: extends itself, by way of others",
        ),
        (
            "services:\n  a: {extends: {file: other.yml, service: a}}\n",
            "compose.yml:2: services.a.extends: extends itself, by way of others",
        ),
        (
            "services:\n  a: {extends: {file: other.yml, service: none}}\n",
            "compose.yml:2: services.a.extends: there is no service none in other.yml",
        ),
        (
            "services:\n  a: {extends: {file: other.yml, service: wrong}}\n",
            "other.yml:2: services.wrong.imag: unknown key; did you mean image?",
        ),
    ],
)
def test_what_cannot_be_extended_is_refused(files: Files, text: str, message: str) -> None:
    files["compose.yml"] = text
    wrong = "wrong: {imag: x}" if "wrong" in text else "more: {image: x}"
    files["other.yml"] = "services: {a: {extends: {file: compose.yml, service: a}}, \n " + wrong + "}"

    assert files.refused() == message


@pytest.mark.parametrize(
    ("include", "message"),
    [
        ("[no.yml]", "compose.yml:1: include[0]: no.yml cannot be read: No such file or directory"),
        ("[compose.yml]", "compose.yml:1: include[0]: compose.yml includes itself"),
        ("[back.yml]", "back.yml:1: include[0]: compose.yml includes itself"),
        ("[differs.yml]", "compose.yml:2: services.web: stands in differs.yml:1 too, which is included, and they "
         "differ; included files are not merged, rename one"),
        ("['oci://example.com/x:1']", "compose.yml:1: include[0]: files from elsewhere are not fetched; "
         "put a copy beside this one and name it"),
        ("[{env_file: x}]", "compose.yml:1: include[0]: expected path: FILE, the Compose file to include"),
        ("[{path: same.yml, env_file: no.env}]", "compose.yml:1: include[0].env_file: no.env cannot be read: "
         "No such file or directory"),
        ("[wrong.yml]", "wrong.yml:2: found character '\\t' that cannot start any token"),
        ("same.yml", "compose.yml:1: include: expected a list, not 'same.yml'"),
    ],
)  # fmt: skip
def test_what_cannot_be_included_is_refused(files: Files, include: str, message: str) -> None:
    files["compose.yml"] = f"include: {include}\nservices: {{web: {{image: app}}}}"
    files["back.yml"] = "include: [compose.yml]"
    files["differs.yml"] = "services: {web: {image: other}}"
    files["same.yml"] = SERVICE
    files["wrong.yml"] = "services:\n\tx"

    assert files.refused() == message


def test_files_that_include_each_other_twice_have_an_end(files: Files) -> None:
    for number in range(12):
        files[f"{number}.yml"] = f"include: [{number + 1}.yml, ./{number + 1}.yml]"
    files["12.yml"] = SERVICE

    assert "more than 1000 files are read; do they include each other?" in files.refused("0.yml")


def test_an_included_file_that_says_the_same_is_no_conflict(files: Files) -> None:
    files["compose.yml"] = "include: [same.yml]\n" + SERVICE
    files["same.yml"] = SERVICE

    assert [service.name for service in files.read().spec.services] == ["web"]


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("./none", "none cannot be read: No such file or directory"),
        ("../shop/folder", "folder is not a file"),
        ("large", "large has more than 4 MiB; put large data into a volume"),
    ],
)
def test_a_secret_that_cannot_be_read_is_refused(files: Files, named: str, message: str) -> None:
    files["compose.yml"] = f"services: {{web: {{image: app, secrets: [s]}}}}\nsecrets:\n  s: {{file: {named}}}\n"
    files["folder/x"] = ""
    files["large"] = b"x" * ((4 << 20) + 1)

    assert files.refused() == f"compose.yml:3: secrets.s.file: {message}"


def test_a_warning_is_said_once_for_its_first_line_and_the_rest_is_counted(files: Files) -> None:
    files["compose.yml"] = """\
services:
  z: {image: app, container_name: x}
  a: {image: app, container_name: y}
  m: {image: app, container_name: z, stdin_open: true}
"""

    assert [(n.line, n.message) for n in files.read().warnings] == [
        (
            2,
            "services.z.container_name: is not used: there may be several replicas, and orch calls them "
            "STACK.SERVICE.SLOT (and in 2 more places)",
        )
    ]


def test_no_value_of_a_secret_is_in_an_error_or_a_repr(files: Files) -> None:
    files["compose.yml"] = "services: {web: {image: app, secrets: [s]}}\nsecrets: {s: {environment: WORD}}\n"

    stack = files.read(variables={"WORD": "hunter2"})

    assert stack.spec.files[0].content == b"hunter2"
    assert "hunter2" not in repr(stack)
