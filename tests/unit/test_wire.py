"""What goes over the master's socket comes out as it went in."""

from __future__ import annotations

import msgspec
import pytest

from orch.api.wire import Done, Failed, Finished, Planned, Progress, Waits, WireChanges, Wish, from_wire, to_wire
from orch.master.engine import Applied
from orch.master.executor import Outcome
from orch.master.settle import Unsettled
from orch.model.node import NodeObservation, Unreachable
from orch.model.plan import Desired, Forget, Plan, Refusal, Remove, Run
from orch.model.view import View
from orch.model.volume import Volume
from orch.store.protocol import Changes, Key
from tests.unit.clusters import CLUSTER, answers, container_of, node, replica_of, shop, web

WEB = web()
FIRST = replica_of(WEB, "w1")
PLAN = Plan(
    (Remove(FIRST, "c0ffee", "image changed"), Run(FIRST, WEB, "wanted"), Forget(FIRST, "gone")),
    (Refusal("shop/web.2", "no room", None), Refusal("w3", "no answer", "w3")),
    again_at=12.5,
)
OBSERVED: dict[str, NodeObservation] = {
    "w1": answers(container_of(FIRST, WEB)),
    "w2": Unreachable(3.0, "no answer", 1.0, suspect=True),
}
VIEW = View(Desired(CLUSTER, (node("w1"), node("w2")), (shop(WEB),), (FIRST,)), OBSERVED)


def test_changes_come_out_as_they_went_in() -> None:
    changes = Changes(
        (shop(WEB), FIRST, Volume("shop_data", "w1", "shop")),
        (Key("stack", "old"), Key("replica", "abc")),
        {Key("stack", "shop"): 7, Key("stack", "new"): 0},
    )
    sent = msgspec.json.encode(Wish(to_wire(changes), ("shop",), 30.0))

    wish = msgspec.json.decode(sent, type=Wish)
    assert from_wire(wish.changes) == changes
    assert (wish.stacks, wish.wait_seconds) == (("shop",), 30.0)


@pytest.mark.parametrize("put", [("stack", {"name": 3}), ("nonsense", {}), ("stack", {})])
def test_what_is_no_change_is_refused(put: tuple[str, dict[str, object]]) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        from_wire(WireChanges((put,)))


@pytest.mark.parametrize(
    "progress",
    [
        Planned(PLAN),
        Done(Outcome(PLAN.actions[1], "no space", lost=True)),
        Waits((FIRST,)),
        Failed("RefusedError", "no"),
        Finished(
            Applied(VIEW, PLAN, [Outcome(PLAN.actions[0])], (Unsettled(FIRST, "it exited with 1", ("oh", "no")),))
        ),
    ],
    ids=lambda progress: type(progress).__name__,
)
def test_progress_comes_out_as_it_went_in(progress: Progress) -> None:
    assert msgspec.json.decode(msgspec.json.encode(progress), type=Progress) == progress


def test_a_view_comes_out_as_it_went_in() -> None:
    assert msgspec.json.decode(msgspec.json.encode(VIEW), type=View) == VIEW
