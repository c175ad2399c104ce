"""Commits whose content follows from their revision alone, so that any state can be checked against its revision."""

from __future__ import annotations

import random
from pathlib import Path

from orch.model.replica import Replica, Slot
from orch.model.spec import ServiceSpec, StackSpec
from orch.model.volume import Volume
from orch.store.protocol import KINDS, Changed, Changes, Key, Snapshot, Stored, key_of
from orch.store.tinydb import TinyStore

CLUSTER = "prod"
State = dict[Key, Changed]


class Model:
    """What the commit with each revision changes, and what all looks like after it.

    `texts`: how long the stacks' texts may be; of the default lengths some fill several blocks of a disk.
    """

    def __init__(self, texts: tuple[int, ...] = (10, 600, 5000)) -> None:
        self._texts = texts
        self._states: list[State] = [{}]

    def changes(self, revision: int) -> Changes:
        """Always something."""
        dice = random.Random(revision)
        put: dict[Key, Stored] = {}
        for number in dice.sample(range(12), dice.choice((0, 1, 1, 5))):
            replica = Replica(
                f"r{number}", Slot("shop", "web", number + 1), revision, f"w{dice.randrange(9)}", "0" * 16
            )
            put[key_of(replica)] = replica
        if dice.random() < 0.3:
            text = "".join(dice.choices("ab\n\0ü", k=dice.choice(self._texts)))
            stack = StackSpec(f"s{dice.randrange(3)}", (ServiceSpec("web", "nginx:1", environment={"TEXT": text}),))
            put[key_of(stack)] = stack
        counter = Volume("counter", f"w{revision}")
        gone = [Key("replica", f"r{number}") for number in dice.sample(range(12), 2)]
        return Changes((*put.values(), counter), tuple(key for key in gone if key not in put))

    def commit_next(self, store: TinyStore) -> int:
        return store.commit(self.changes(store.revision + 1))

    def at(self, revision: int) -> State:
        while len(self._states) <= revision:
            following = len(self._states)
            changes, state = self.changes(following), dict(self._states[-1])
            for key in changes.delete:
                state.pop(key, None)
            state |= {key_of(value): Changed(key_of(value), following, value) for value in changes.put}
            self._states.append(state)
        return self._states[revision]

    def wrong(self, store: TinyStore, least: int, most: int) -> str:
        """What is wrong with a store that may be at any revision from `least` to `most`; "" if nothing is."""
        if not least <= store.revision <= most:
            return f"revision {store.revision}, and {least} to {most} would be right"
        found = store.watch().take()
        assert isinstance(found, Snapshot)
        if {changed.key: changed for changed in found.objects} != self.at(store.revision):
            return f"not the state of revision {store.revision}"
        objects = sorted(key_of(value) for of in KINDS for value in store.all(of.type))
        return "" if objects == sorted(self.at(store.revision)) else "what it lists is not what it has"


def opened(folder: Path) -> TinyStore:
    return TinyStore(folder, CLUSTER)
