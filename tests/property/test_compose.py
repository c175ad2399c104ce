"""What holds of the Compose reader, whatever it is given: files that were spoilt, and trees grown at random."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orch.errors import InputError
from orch.located import parse_located
from orch.model.spec import StackSpec
from orch.stackfile.compose import StackFile, build_stack
from orch.stackfile.dotenv import EnvFile, parse_env, parse_raw_env
from orch.stackfile.keys import SERVICE, STACK
from orch.stackfile.merge import merge
from orch.stackfile.notices import Notices
from orch.stackfile.render import render_stack
from orch.stackfile.shapes import TAGS, Shape, shaped
from tests.property.mutations import mutated
from tests.unit.golden import GOLDEN, VARIABLES, cases, paths_of

thoroughly = settings(max_examples=400, deadline=None)
moderately = settings(max_examples=150, deadline=None)
FILES = {path: path.read_text() for case in cases() for path in paths_of(case)}
PROFILES = {**VARIABLES, "COMPOSE_PROFILES": "*"}

_TEXTS = [
    "", "0", "-1", "1", "2.5", "1.5.2", "0440", "0x1F", "true", "no", "~", "10s", "1h30m", "1e9", "512m", "1000000t",
    "80", "8080:80", "127.0.0.1:53:53/udp", "90-95:90-95", "[::1]:1:1", "/a", "./a", "~/a", "a:/b", "/a:/b:ro,z",
    "a=b", "A", "=", "a:b", "service:a", "service:b", "host", "none", "redis:7", "on-failure:3", "any", "CMD", "NONE",
    "node.labels.a == b", "node.hostname", "gpu=a:NoExecute", "$$x", "$HOME", "${X:-y}", "${X:?z}", "${", "C:\\x",
    "é", "9" * 400, "x" * 300, "a\nb", " ",
]  # fmt: skip

scalars = st.sampled_from(_TEXTS) | st.integers() | st.booleans() | st.none() | st.text(max_size=4)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_TEXTS), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(["a", "b", "default", "x-y", "A_B"])


def grown(shape: Shape, depth: int = 0) -> st.SearchStrategy[object]:
    """Mostly what the shape allows, seldom anything else."""
    allowed: list[st.SearchStrategy[object]] = []
    if shape.scalar or shape.short in {"entry", "list"}:
        allowed.append(scalars)
    if shape.items is not None:
        allowed.append(st.deferred(lambda: st.lists(grown(shape.items or shape, depth + 1), max_size=3)))
    if shape.short in {"pairs", "hosts", "names"}:
        allowed.append(st.lists(scalars, max_size=3))
    if shape.names is not None:
        allowed.append(st.deferred(lambda: st.dictionaries(names, grown(shape.names or shape, depth + 1), max_size=3)))
    if shape.keys is not None:
        keys = shape.keys
        some = st.lists(st.sampled_from(sorted(keys)), max_size=4, unique=True)
        allowed.append(
            some.flatmap(lambda chosen: st.fixed_dictionaries({k: grown(keys[k], depth + 1) for k in chosen}))
        )
    return st.one_of(*allowed, *allowed, *allowed, anything)


services = grown(SERVICE).map(lambda s: {"image": "app", **s} if isinstance(s, dict) else s)
stacks = st.builds(
    lambda top, found: {**(top if isinstance(top, dict) else {}), "services": found},
    grown(STACK),
    st.dictionaries(names, services, min_size=1, max_size=2),
)


def read(text: str, folder: Path = GOLDEN) -> StackFile | InputError:
    try:
        document = parse_located(text, "f.yml", tags=TAGS, written=True)
        return build_stack(document, name=None, fallback="folder", variables=PROFILES, folder=folder)
    except InputError as error:
        return error


def check(found: StackFile | InputError, folder: Path = GOLDEN) -> None:
    """An error that names its place, or a stack that the store keeps and that reads the same when printed."""
    if isinstance(found, InputError):
        assert found.file
        return
    assert msgspec.json.decode(msgspec.json.encode(found.spec), type=StackSpec) == found.spec
    again = read(render_stack(found), folder)
    assert isinstance(again, StackFile), again
    assert again.spec == found.spec
    assert render_stack(again) == render_stack(found)


@thoroughly
@given(st.data())
def test_a_spoilt_file_is_a_stack_or_an_input_error(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(FILES)))
    text = data.draw(mutated(FILES[path]))

    check(read(text, path.parent), path.parent)


@thoroughly
@given(stacks)
def test_a_tree_grown_at_random_is_a_stack_or_an_input_error(stack: dict[str, object]) -> None:
    check(read(yaml.safe_dump(stack, allow_unicode=True)))


@thoroughly
@given(services)
def test_a_service_grown_at_random_is_a_stack_or_an_input_error(service: object) -> None:
    check(read(yaml.safe_dump({"services": {"a": service, "b": {"image": "b"}}, "volumes": {"a": None}})))


@moderately
@given(stacks)
def test_merging_with_nothing_changes_nothing(stack: dict[str, object]) -> None:
    document = parse_located(yaml.safe_dump(stack), "f.yml", tags=TAGS, written=True)
    nothing = parse_located("services: {}", "g.yml")
    try:
        place = shaped(document, STACK)
    except InputError:
        return
    assert merge(place, shaped(nothing, STACK), STACK).plain() == place.plain()
    assert merge(nothing, place, STACK).plain() == place.plain()


@thoroughly
@given(st.text() | mutated(*(path.read_text() for path in sorted(GOLDEN.rglob("*.env")) if path.is_file())))
def test_any_text_is_variables_or_an_input_error(text: str) -> None:
    source = EnvFile("f.env", text)

    for found in (parsed(lambda: parse_env(source, VARIABLES, Notices())), parsed(lambda: parse_raw_env(source, {}))):
        if isinstance(found, InputError):
            assert found.file == "f.env"
            assert found.line in range(1, text.count("\n") + 2)
        else:
            assert all(name and not set(name) & set(" \n=") for name in found)


def parsed(parse: Callable[[], dict[str, str]]) -> dict[str, str] | InputError:
    try:
        return parse()
    except InputError as error:
        return error
