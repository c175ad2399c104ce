"""What holds of every reader, whatever it is given."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import msgspec
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orch.errors import InputError
from orch.located import Located, parse_located
from orch.model.node import Container, Reachable
from orch.model.replica import Replica, Slot
from orch.model.spec import StackSpec
from orch.observe.probe import parse_probe
from orch.podman.commands import run
from orch.podman.inspect import ForeignContainer, parse_container
from orch.remote.frames import frame
from orch.stackfile.compose import build_stack
from tests.property.mutations import COMPOSE, INVENTORY, mutated
from tests.unit import hosts as recorded
from tests.unit.test_inspect import line as container_line

T = TypeVar("T")
moderately = settings(max_examples=150, deadline=None)
thoroughly = settings(max_examples=500, deadline=None)
NONCE = "0123456789abcdef" * 2
REPLICA = Replica("abcdefghijkl", Slot("shop", "web", 2), 1, "w1", "h")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@moderately
@given(json_values)
def test_yaml_is_read_as_pyyaml_reads_it(value: object) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)

    assert parse_located(text, "f.yml").plain() == yaml.safe_load(text)


@moderately
@given(st.dictionaries(st.text("ab", min_size=1), json_values))
def test_every_value_stands_on_a_line_of_its_file(value: object) -> None:
    text = yaml.safe_dump(value)

    def lines(place: Located) -> list[int]:
        inner = place.value.values() if isinstance(place.value, dict) else place.value
        return [place.line, *(n for entry in inner for n in lines(entry))] if isinstance(inner, list) else [place.line]

    assert set(lines(parse_located(text, "f.yml"))) <= set(range(1, text.count("\n") + 1))


def outcome(read: Callable[[], T]) -> T | InputError:
    try:
        return read()
    except InputError as error:
        return error


def document(text: str) -> Located:
    return parse_located(text, "f.yml")


@moderately
@given(st.text() | mutated(INVENTORY, COMPOSE))
def test_any_text_is_yaml_or_an_input_error(text: str) -> None:
    assert outcome(lambda: document(text)).file == "f.yml"


@thoroughly
@given(st.text() | mutated(COMPOSE))
@example(COMPOSE)
def test_any_text_is_a_stack_that_nodes_can_be_told_or_an_input_error(text: str) -> None:
    variables = {"SECRET": "s", "X": "x"}
    read = outcome(lambda: build_stack(document(text), name=None, fallback="folder", variables=variables))

    if isinstance(read, InputError):
        assert read.file == "f.yml"
    else:
        stack = read.spec
        assert msgspec.json.decode(msgspec.json.encode(stack), type=StackSpec) == stack
        for command in (run("prod", REPLICA, service) for service in stack.services):
            assert frame(shlex.join(command.argv), command.stdin, NONCE).endswith(b">&2\n")


probes = [value for name, value in vars(recorded).items() if name.isupper()]


@thoroughly
@given(st.text() | mutated(*probes))
@example(recorded.DEBIAN_V1)
def test_any_text_is_a_probes_answer_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        found = parse_probe(text, 1.7e9, 1.7e9 + 1)
        assert msgspec.json.decode(msgspec.json.encode(found), type=Reachable).at == 1.7e9 + 1


@moderately
@given(
    st.text()
    | json_values.map(json.dumps)
    | mutated(container_line())
    | st.builds(
        lambda field, value: container_line(**{field: value}),
        st.sampled_from(
            ["id", "name", "status", "exit_code", "oom_killed", "started_at", "restarts", "labels", "networks"]
        ),
        json_values,
    )
)
@example(container_line())
@example(container_line(name="copy"))
def test_any_text_is_a_container_one_of_somebody_else_or_a_value_error(text: str) -> None:
    try:
        container = parse_container(text)
    except (ValueError, ForeignContainer):
        return
    assert msgspec.convert(msgspec.to_builtins(container), Container) == container
