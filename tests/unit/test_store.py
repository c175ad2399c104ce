"""The store: what was committed is there after a crash, and what is not as written is refused."""

from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest

from orch.errors import ConflictError, StateError
from orch.model.resources import Resources
from orch.model.spec import RestartPolicy, ServiceSpec, StackSpec
from orch.store.journal import LEAST_TO_COMPACT, Journal
from orch.store.protocol import KINDS, Changes, Key, key_of
from orch.store.tinydb import TinyStore
from tests.unit.clusters import CLUSTER, GIB, replica_of, shop, web

WEB = web()
SHOP = shop(WEB)
BLOG = StackSpec("blog", (web("wordpress:6"),))
FIRST, SECOND = replica_of(WEB, "w1"), replica_of(WEB, "w2", number=2)
EVERYTHING = ServiceSpec(
    "every",
    "registry.example:5000/every@sha256:0",
    command=("sh", "-c", 'echo "$A" \\ ü'),
    entrypoint=(),
    environment={"A": "1\n2", "": "", "ü": "\U0001f600"},
    replicas=0,
    request=Resources(1, 8 * GIB),
    limit=Resources(250, 1),
    restart=RestartPolicy("on-failure", 3),
    stop_grace=0,
)


def opened(folder: Path) -> TinyStore:
    return TinyStore(folder, CLUSTER)


def filled(folder: Path) -> TinyStore:
    store = opened(folder)
    store.commit(Changes(put=(SHOP, FIRST)))
    return store


def test_a_new_store_is_empty_and_looking_at_it_leaves_no_trace(tmp_path: Path) -> None:
    store = opened(tmp_path / "new")

    assert (store.stacks(), store.replicas()) == ((), ())
    assert not (tmp_path / "new").exists()


def test_what_was_committed_is_there_when_opened_again(tmp_path: Path) -> None:
    filled(tmp_path)

    again = opened(tmp_path)
    assert (again.stacks(), again.replicas()) == ((SHOP,), (FIRST,))


def test_every_field_of_a_specification_comes_back(tmp_path: Path) -> None:
    opened(tmp_path).commit(Changes(put=(shop(EVERYTHING),)))

    assert opened(tmp_path).stacks() == (shop(EVERYTHING),)


def test_the_store_that_committed_shows_the_change_too(tmp_path: Path) -> None:
    assert filled(tmp_path).stacks() == (SHOP,)


def test_what_is_put_again_replaces_what_was_there(tmp_path: Path) -> None:
    changed, moved = shop(web("nginx:2")), msgspec.structs.replace(FIRST, node="w9")

    filled(tmp_path).commit(Changes(put=(changed, moved)))

    assert (opened(tmp_path).stacks(), opened(tmp_path).replicas()) == ((changed,), (moved,))


def test_what_is_deleted_is_gone_and_the_rest_stays(tmp_path: Path) -> None:
    store = filled(tmp_path)
    store.commit(Changes(put=(BLOG, SECOND)))

    store.commit(Changes(delete=(Key("stack", "shop"), key_of(FIRST))))

    assert (opened(tmp_path).stacks(), opened(tmp_path).replicas()) == ((BLOG,), (SECOND,))


def test_deleting_what_is_not_there_is_fine(tmp_path: Path) -> None:
    filled(tmp_path).commit(Changes(delete=(Key("stack", "nothing"), Key("replica", "nobody"))))

    assert (opened(tmp_path).stacks(), opened(tmp_path).replicas()) == ((SHOP,), (FIRST,))


def test_what_one_commit_deletes_and_puts_is_there_afterwards(tmp_path: Path) -> None:
    filled(tmp_path).commit(Changes(put=(FIRST,), delete=(key_of(FIRST),)))

    assert opened(tmp_path).replicas() == (FIRST,)


def test_stacks_are_sorted_by_name_and_replicas_by_slot_and_attempt(tmp_path: Path) -> None:
    replicas = [replica_of(WEB, "w1", number=n, attempt=a) for n, a in ((1, 9), (1, 10), (9, 1), (10, 1))]

    opened(tmp_path).commit(Changes(put=(SHOP, BLOG, *reversed(replicas))))

    assert (opened(tmp_path).stacks(), opened(tmp_path).replicas()) == ((BLOG, SHOP), tuple(replicas))


def test_an_empty_commit_writes_nothing(tmp_path: Path) -> None:
    opened(tmp_path).commit(Changes())

    assert list(tmp_path.iterdir()) == []


def test_the_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    filled(tmp_path).compact()

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("acknowledged", "journal.1", "journal.2", "snapshot", "snapshot.1"), 0o600)


def test_a_replica_and_a_stack_of_one_name_are_two_objects(tmp_path: Path) -> None:
    shadow = msgspec.structs.replace(FIRST, id="shop")

    filled(tmp_path).commit(Changes(put=(shadow,)))

    store = opened(tmp_path)
    assert (store.get(Key("stack", "shop")), store.get(Key("replica", "shop"))) == (SHOP, shadow)


def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    assert filled(tmp_path).get(Key("stack", "nothing")) is None


def test_a_kind_that_is_not_stored_is_no_key() -> None:
    with pytest.raises(ValueError, match="there is no kind 'node' of stored objects"):
        Key("node", "w1")


def test_commits_are_counted_and_objects_know_which_of_them_changed_them_last(tmp_path: Path) -> None:
    store = filled(tmp_path)
    store.commit(Changes(put=(BLOG,)))
    assert store.commit(Changes(put=(SECOND,), delete=(key_of(FIRST),))) == 3
    store.compact()

    for each in (store, opened(tmp_path)):
        assert each.revision == 3
        told = {str(key): each.revision_of(key) for key in (*map(key_of, (SHOP, BLOG, FIRST, SECOND)),)}
        assert told == {"stack shop": 1, "stack blog": 2, f"replica {FIRST.id}": 0, f"replica {SECOND.id}": 3}


def test_a_commit_of_what_is_there_already_is_none(tmp_path: Path) -> None:
    store = filled(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    assert store.commit(Changes(put=(SHOP, FIRST), delete=(Key("stack", "nothing"),))) == 1

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert store.commit(Changes(put=(SHOP, BLOG))) == 2
    assert (store.revision_of(key_of(SHOP)), store.revision_of(key_of(BLOG))) == (1, 2)


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        ({key_of(SHOP): 0}, "stack shop: it is there already, since revision 1; look at it again and repeat"),
        ({key_of(SHOP): 9}, "stack shop: it was changed meanwhile, in revision 1; look at it again and repeat"),
        ({key_of(BLOG): 1}, "stack blog: it was deleted meanwhile; look at it again and repeat"),
        ({key_of(FIRST): 1, key_of(BLOG): 2}, "stack blog: it was deleted meanwhile; look at it again and repeat"),
    ],
)
def test_a_stale_commit_is_refused_and_changes_nothing(tmp_path: Path, expected: dict[Key, int], told: str) -> None:
    store = filled(tmp_path)

    with pytest.raises(ConflictError) as caught:
        store.commit(Changes(put=(SECOND,), delete=(key_of(SHOP),), expect=expected))

    assert str(caught.value) == told
    for each in (store, opened(tmp_path)):
        assert (each.stacks(), each.replicas(), each.revision) == ((SHOP,), (FIRST,), 1)


def test_a_commit_whose_expectations_hold_is_made(tmp_path: Path) -> None:
    expected = {key_of(SHOP): 1, key_of(BLOG): 0}

    assert filled(tmp_path).commit(Changes(put=(BLOG,), expect=expected)) == 2
    assert opened(tmp_path).stacks() == (BLOG, SHOP)


def test_a_stale_commit_without_changes_is_refused_too(tmp_path: Path) -> None:
    with pytest.raises(ConflictError):
        filled(tmp_path).commit(Changes(expect={key_of(SHOP): 2}))


def test_the_state_of_another_cluster_is_refused(tmp_path: Path) -> None:
    filled(tmp_path)

    with pytest.raises(StateError) as caught:
        TinyStore(tmp_path, "test")
    assert str(caught.value) == (
        f"{tmp_path}/snapshot: is the state of cluster prod, and the inventory is of test; "
        "name another folder with --state"
    )


def test_compaction_keeps_everything_and_one_backup(tmp_path: Path) -> None:
    store = filled(tmp_path)
    for image in ("nginx:2", "nginx:3", "nginx:4"):
        store.commit(Changes(put=(shop(web(image)),)))
        store.compact()

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "acknowledged", "journal.3", "journal.4", "snapshot", "snapshot.3",
    ]  # fmt: skip
    assert (opened(tmp_path).stacks(), opened(tmp_path).replicas()) == ((shop(web("nginx:4")),), (FIRST,))
    store.commit(Changes(delete=(key_of(SHOP),)))
    assert (opened(tmp_path).stacks(), opened(tmp_path).replicas()) == ((), (FIRST,))


def test_compaction_is_due_when_the_journal_has_outgrown_the_snapshot(tmp_path: Path) -> None:
    store = filled(tmp_path)
    text = "x" * (LEAST_TO_COMPACT // 2)
    generations = []
    for number in range(8):
        store.commit(Changes(put=(shop(msgspec.structs.replace(WEB, environment={"TEXT": f"{number}{text}"})),)))
        store.compact_when_due()
        generations.append(max(path.name for path in tmp_path.glob("journal.*")))

    assert generations == ["journal.1", *["journal.2"] * 2, *["journal.3"] * 2, *["journal.4"] * 2, "journal.5"]


def test_a_closed_store_can_be_asked_and_not_changed(tmp_path: Path) -> None:
    store = filled(tmp_path)
    store.close()

    with pytest.raises(StateError, match="the store is closed"):
        store.commit(Changes(put=(BLOG,)))
    assert store.stacks() == (SHOP,)


@pytest.mark.parametrize("compacts", [False, True])
def test_what_another_process_has_changed_meanwhile_is_not_overwritten(tmp_path: Path, compacts: bool) -> None:
    filled(tmp_path)
    late, other = opened(tmp_path), opened(tmp_path)
    if compacts:
        other.compact()
    else:
        other.commit(Changes(put=(BLOG,)))

    for _ in range(2):
        with pytest.raises(StateError) as caught:
            late.commit(Changes(put=(SECOND,)))
        assert str(caught.value) == f"{tmp_path}: another process has changed it meanwhile; run it again"
    assert opened(tmp_path).replicas() == (FIRST,)


def test_an_object_that_this_orch_cannot_read_is_named(tmp_path: Path) -> None:
    filled(tmp_path).close()
    journal = Journal(tmp_path, CLUSTER)
    journal.commit([("stacks", "shop", {"name": 7, "services": []})])
    journal.close()

    with pytest.raises(StateError) as caught:
        opened(tmp_path).stacks()
    assert str(caught.value) == (
        f"{tmp_path}: stack shop cannot be read: Expected `str`, got `int` - at `$.name`; "
        "use the version of orch that wrote it"
    )


def test_every_kind_has_a_table_and_a_type_of_its_own() -> None:
    for column in ("kind", "table", "type"):
        assert len({getattr(of, column) for of in KINDS}) == len(KINDS)
