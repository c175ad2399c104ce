"""The labels by which a container on a node says whose it is. Only containers with ours are ever touched."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from orch.model.replica import Replica, Slot

CLUSTER = "orch.cluster"
STACK = "orch.stack"
SERVICE = "orch.service"
SLOT = "orch.slot"
ATTEMPT = "orch.attempt"
REPLICA = "orch.replica"
SPEC = "orch.spec"
VOLUME = "orch.volume"
"""On volumes alone: the key by which the stack calls it."""


class Identity(msgspec.Struct, frozen=True):
    """What the labels say: which slot the container fills, as which replica, made from which spec."""

    slot: Slot
    attempt: int
    replica: str
    spec_hash: str


def labels_of(cluster: str, replica: Replica) -> dict[str, str]:
    return {
        CLUSTER: cluster,
        STACK: replica.slot.stack,
        SERVICE: replica.slot.service,
        SLOT: str(replica.slot.number),
        ATTEMPT: str(replica.attempt),
        REPLICA: replica.id,
        SPEC: replica.spec_hash,
    }


def identity(labels: Mapping[str, str]) -> Identity:
    """Raises ValueError when a label is missing or is not what `labels_of` writes."""
    try:
        slot = Slot(labels[STACK], labels[SERVICE], _number(labels[SLOT]))
        return Identity(slot, _number(labels[ATTEMPT]), labels[REPLICA], labels[SPEC])
    except KeyError as error:
        raise ValueError(f"the label {error.args[0]} is missing") from None


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or text != str(int(text)):
        raise ValueError(f"{text!r} is no number")
    return int(text)
