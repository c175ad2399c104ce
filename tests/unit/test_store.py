"""The store: what was committed is there after a crash, and what is not as written is refused."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from orch.errors import StateError
from orch.model.resources import Resources
from orch.model.spec import RestartPolicy, ServiceSpec, StackSpec
from orch.store.protocol import Changes, Key, key_of

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

FAIL_WITHOUT_SPACE = """
import resource, sys
from pathlib import Path
from orch.errors import StateError
from orch.model.spec import ServiceSpec, StackSpec
from orch.store.protocol import Changes
from orch.store.tinydb import TinyStore

store = TinyStore(Path(sys.argv[1]), sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    store.commit(Changes(put=(StackSpec("large", (ServiceSpec("web", "x" * 1000),)),)))
except StateError as error:
    print(error)
"""


def opened(folder: Path) -> TinyStore:
    return TinyStore(folder, CLUSTER)


def filled(folder: Path) -> TinyStore:
    store = opened(folder)
    store.commit(Changes(put=(SHOP, FIRST)))
    return store


def refused(folder: Path) -> str:
    """What is said to whoever opens the folder and reads all."""
    with pytest.raises(StateError) as caught:
        _read_all(folder)
    return str(caught.value)


def _read_all(folder: Path) -> object:
    store = opened(folder)
    return store.stacks(), store.replicas()


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


def test_the_file_is_for_its_owner_alone_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    filled(tmp_path)

    assert [(path.name, stat.S_IMODE(path.stat().st_mode)) for path in tmp_path.iterdir()] == [("state.json", 0o600)]


def test_the_state_of_another_cluster_is_refused(tmp_path: Path) -> None:
    filled(tmp_path)

    with pytest.raises(StateError) as caught:
        TinyStore(tmp_path, "test")
    assert str(caught.value) == f"{tmp_path / FILE}: is the state of cluster prod, and the inventory is of test"


def test_the_state_in_another_format_is_refused(tmp_path: Path) -> None:
    filled(tmp_path)
    _rewrite(tmp_path, "meta", "store", {"format": 2, "cluster": CLUSTER})

    assert refused(tmp_path) == f"{tmp_path / FILE}: has format 2, and this orch reads 1"


def _rewrite(folder: Path, table: str, key: str, value: object) -> None:
    """Write a document, whole and readable, that no commit would write."""
    storage = AtomicJSONStorage(str(folder / FILE))
    tables = storage.read()
    assert tables is not None
    tables[table][key] = value
    storage.write(tables)


def test_a_file_cut_anywhere_is_refused_by_name(tmp_path: Path) -> None:
    filled(tmp_path)
    content = (tmp_path / FILE).read_bytes()

    for length in range(len(content)):
        (tmp_path / FILE).write_bytes(content[:length])
        assert re.match(rf"{re.escape(str(tmp_path / FILE))}: is damaged \(.+\); put a backup", refused(tmp_path))


def test_a_flipped_bit_anywhere_is_refused_by_name(tmp_path: Path) -> None:
    filled(tmp_path)
    content = (tmp_path / FILE).read_bytes()

    for position in range(len(content)):
        flipped = bytearray(content)
        flipped[position] ^= 1
        (tmp_path / FILE).write_bytes(flipped)
        assert refused(tmp_path).startswith(f"{tmp_path / FILE}: ")


@pytest.mark.parametrize(
    ("table", "key", "document"),
    [
        ("stacks", "shop", 5),
        ("stacks", "shop", {"name": "shop"}),
        ("stacks", "shop", {"name": 7, "services": []}),
        ("replicas", FIRST.id, {**msgspec.to_builtins(FIRST), "attempt": None}),
    ],
    ids=["not an object", "a field is missing", "a number for a name", "null for a number"],
)
def test_a_document_that_cannot_be_read_is_refused_by_its_table(
    tmp_path: Path, table: str, key: str, document: object
) -> None:
    filled(tmp_path)
    _rewrite(tmp_path, table, key, document)

    assert refused(tmp_path).startswith(f"{tmp_path / FILE}: is damaged in its {table}: ")


@pytest.mark.parametrize("document", [5, {}, {"format": 1}], ids=["a number", "empty", "no cluster"])
def test_a_state_that_does_not_say_whose_it_is_is_refused(tmp_path: Path, document: object) -> None:
    filled(tmp_path)
    _rewrite(tmp_path, "meta", "store", document)

    assert refused(tmp_path).startswith(f"{tmp_path / FILE}: ")


@pytest.mark.parametrize("content", [b"[]", b'{"meta":5}', b'{"stacks":{}}', b"{}"])
def test_a_file_that_no_commit_could_have_written_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)

    assert refused(tmp_path).startswith(f"{tmp_path / FILE}: ")


def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()

    assert refused(tmp_path) == f"{tmp_path / FILE}: cannot be read: Is a directory"


def test_a_commit_without_space_says_so_and_leaves_the_old_state(tmp_path: Path) -> None:
    filled(tmp_path)

    done = subprocess.run(
        [sys.executable, "-c", FAIL_WITHOUT_SPACE, str(tmp_path), CLUSTER], capture_output=True, text=True, check=True
    )

    assert done.stdout == f"{tmp_path / FILE}: cannot be written: File too large\n"
    assert (opened(tmp_path).stacks(), opened(tmp_path).replicas()) == ((SHOP,), (FIRST,))


def test_a_commit_that_failed_changed_nothing_for_its_own_store_either(tmp_path: Path) -> None:
    store = filled(tmp_path)
    obstacle = tmp_path / "state.tmp"
    obstacle.mkdir()
    with pytest.raises(StateError, match="cannot be written: Is a directory"):
        store.commit(Changes(put=(BLOG,), delete=(key_of(FIRST),)))
    obstacle.rmdir()

    assert (store.stacks(), store.replicas()) == ((SHOP,), (FIRST,))
    store.commit(Changes(put=(SECOND,)))
    assert (opened(tmp_path).stacks(), opened(tmp_path).replicas()) == ((SHOP,), (FIRST, SECOND))
