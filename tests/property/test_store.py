"""Whatever is committed, in whatever order: the file says the same as a dictionary."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from orch.model.replica import Replica, Slot
from orch.model.resources import Resources
from orch.model.spec import RestartPolicy, ServiceSpec, StackSpec
from orch.store.protocol import Changes, Key, key_of
from orch.store.tinydb import TinyStore

names = st.sampled_from(("a", "b", "1", "_default", "ü.ß"))
idents = st.sampled_from(("aaaaaaaaaaaa", "bbbbbbbbbbbb", "222222222222"))
amounts = st.builds(Resources, st.integers(0, 1 << 20), st.integers(0, 1 << 50))
words = st.none() | st.lists(st.text(), max_size=2).map(tuple)
services = st.builds(
    ServiceSpec,
    name=names,
    image=st.text(min_size=1),
    command=words,
    entrypoint=words,
    environment=st.dictionaries(st.text(), st.text(), max_size=3),
    replicas=st.integers(0, 100),
    request=amounts,
    limit=amounts,
    restart=st.builds(RestartPolicy, st.sampled_from(("no", "on-failure", "always")), st.integers(0, 5)),
    stop_grace=st.integers(0, 3600),
)
stacks = st.builds(
    StackSpec,
    names,
    st.lists(services, max_size=2, unique_by=lambda s: s.name).map(lambda found: tuple(sorted(found, key=_name_of))),
)
slots = st.builds(Slot, names, names, st.integers(1, 3))
replicas = st.builds(Replica, idents, slots, st.integers(1, 3), names, st.text(), amounts, st.integers(0, 3600))
changes = st.builds(
    Changes,
    put=st.lists(st.one_of(stacks, replicas), max_size=6, unique_by=key_of).map(tuple),
    delete=st.lists(
        st.one_of(names.map(lambda name: Key("stack", name)), idents.map(lambda ident: Key("replica", ident))),
        max_size=6,
    ).map(tuple),
)


def _name_of(service: ServiceSpec) -> str:
    return service.name


class Model:
    """Two dictionaries."""

    def __init__(self) -> None:
        self.stacks: dict[str, StackSpec] = {}
        self.replicas: dict[str, Replica] = {}

    def commit(self, made: Changes) -> None:
        for key in made.delete:
            (self.stacks if key.kind == "stack" else self.replicas).pop(key.name, None)
        self.stacks |= {s.name: s for s in made.put if isinstance(s, StackSpec)}
        self.replicas |= {r.id: r for r in made.put if isinstance(r, Replica)}

    def check(self, store: TinyStore) -> None:
        assert {s.name: s for s in store.stacks()} == self.stacks
        assert {r.id: r for r in store.replicas()} == self.replicas
        assert [s.name for s in store.stacks()] == sorted(self.stacks)
        found = [(r.slot, r.attempt) for r in store.replicas()]
        assert found == sorted(found)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(changes, st.booleans()), max_size=6))
def test_any_sequence_of_commits_leaves_what_a_dictionary_would_hold(history: list[tuple[Changes, bool]]) -> None:
    """After each commit the store is closed and opened again, or used on."""
    model = Model()
    with TemporaryDirectory() as folder:
        store = TinyStore(Path(folder), "prod")
        for made, reopens in history:
            store.commit(made)
            model.commit(made)
            model.check(store)
            if reopens:
                store = TinyStore(Path(folder), "prod")
        model.check(TinyStore(Path(folder), "prod"))
