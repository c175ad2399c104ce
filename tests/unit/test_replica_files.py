"""Where the files of a replica lie on its node."""

from __future__ import annotations

import pytest

from orch.model.replica import Replica, Slot
from orch.podman.files import folder_of

SLOT = Slot("shop", "web", 1)


@pytest.mark.parametrize("ident", ["", ".", "..", "../../../../home", "abcdefghijkl/..", "ABCDEFGHIJKL", "abcdefghijk"])
def test_an_id_that_anybody_may_have_written_leads_nowhere(ident: str) -> None:
    with pytest.raises(ValueError, match="none of orch's"):
        folder_of("prod", Replica(ident, SLOT, 1, "w1", "h"))
    assert folder_of("prod", Replica("abcdefghij27", SLOT, 1, "w1", "h")) == "/var/lib/orch/prod/files/abcdefghij27"
