"""Whatever is committed, in whatever order: the file says the same as a dictionary."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from orch.model.replica import Replica, Slot
from orch.model.resources import Resources
from orch.model.spec import RestartPolicy, ServiceSpec, StackSpec
from orch.model.volume import Volume
from orch.store.protocol import KINDS, Changed, Changes, Key, Snapshot, Stored, key_of
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
volumes = st.builds(Volume, names, names, names)
changes = st.builds(
    Changes,
    put=st.lists(st.one_of(stacks, replicas, volumes), max_size=6, unique_by=key_of).map(tuple),
    delete=st.lists(
        st.one_of(names.map(lambda name: Key("stack", name)), idents.map(lambda ident: Key("replica", ident))),
        max_size=6,
    ).map(tuple),
)


def _name_of(service: ServiceSpec) -> str:
    return service.name


class Model:
    """Objects and revisions in dictionaries."""

    def __init__(self) -> None:
        self.objects: dict[Key, Stored] = {}
        self.revisions: dict[Key, int] = {}
        self.revision = 0

    def commit(self, made: Changes) -> None:
        after = {key: value for key, value in self.objects.items() if key not in made.delete}
        after |= {key_of(value): value for value in made.put}
        if after == self.objects:
            return
        self.revision += 1
        for key in {*after, *self.objects}:
            if key not in after:
                del self.revisions[key]
            elif after[key] != self.objects.get(key):
                self.revisions[key] = self.revision
        self.objects = after

    def check(self, store: TinyStore) -> None:
        for of in KINDS:
            found = store.all(of.type)
            assert {key_of(value): value for value in found} == {
                key: value for key, value in self.objects.items() if key.kind == of.kind
            }
            assert [of.order(value) for value in found] == sorted(of.order(value) for value in found)
        assert {key: store.revision_of(key) for key in self.objects} == self.revisions
        assert store.revision == self.revision


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(changes, st.sampled_from(("", "opened", "compacted"))), max_size=6))
def test_any_sequence_of_commits_leaves_what_a_dictionary_would_hold(history: list[tuple[Changes, str]]) -> None:
    """After each commit the store is used on, or closed and opened again, or compacted."""
    model = Model()
    with TemporaryDirectory() as folder:
        store = TinyStore(Path(folder), "prod")
        for made, then in history:
            assert store.commit(made) >= model.revision
            model.commit(made)
            model.check(store)
            if then == "opened":
                store.close()
                store = TinyStore(Path(folder), "prod")
            elif then == "compacted":
                store.compact()
        model.check(store)
        model.check(TinyStore(Path(folder), "prod"))
        store.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(changes, st.booleans()), max_size=6), st.integers(0, 4))
def test_whoever_applies_all_that_a_watch_tells_has_what_the_store_has(
    history: list[tuple[Changes, bool]], limit: int
) -> None:
    """However seldom it is asked, and however little it may keep."""
    seen: dict[Key, Changed] = {}
    with TemporaryDirectory() as folder:
        store = TinyStore(Path(folder), "prod")
        watch = store.watch(limit=limit)
        for made, takes in [*history, (Changes(), True)]:
            store.commit(made)
            if not takes:
                continue
            match watch.take():
                case Snapshot() as snapshot:
                    seen = {changed.key: changed for changed in snapshot.objects}
                case news:
                    assert len(news) <= limit
                    assert [c.revision for c in news] == sorted(c.revision for c in news)
                    seen |= {changed.key: changed for changed in news}
        seen = {key: changed for key, changed in seen.items() if changed.value is not None}
        assert Snapshot(store.revision, tuple(seen[key] for key in sorted(seen))) == store.watch().take()
        store.close()
