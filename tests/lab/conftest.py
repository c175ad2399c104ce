"""One lab of three hosts for the whole session; each test leaves it as it found it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.hosts import Faults, Operator, TestLab, down_abandoned


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs real hosts."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.lab)


@pytest.fixture(scope="session")
def root() -> None:
    """Real hosts need root; where nobody watches, a test that cannot run has failed."""
    if os.geteuid() != 0:
        if os.environ.get("CI") == "true":
            pytest.fail("lab tests need root")
        pytest.skip("lab tests need root: ./scripts/test uses sudo")
    down_abandoned()


@pytest.fixture(scope="session")
def shared_lab(root: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestLab]:
    """Hosts w1, w2, w3 with a core and 1 GiB each, and the images busybox:latest, busybox:2 and redis."""
    lab = TestLab.named("t", tmp_path_factory.mktemp("lab"))
    lab.images()
    try:
        lab.orch("lab", "up", "--lab", lab.name, "-n", "3", "--cpus", "1", "--memory", "1g")
        yield lab
    finally:
        lab.orch("lab", "down", "--lab", lab.name)


@pytest.fixture
def faults(shared_lab: TestLab) -> Iterator[Faults]:
    """Breaks hosts of the shared lab, and mends them all when the test is over."""
    faults = Faults(shared_lab)
    yield faults
    faults.mend()


CLEAR = "podman rm --all --force --time 0; podman volume rm --all --force; rm -rf /var/lib/orch"


@pytest.fixture
def op(shared_lab: TestLab, tmp_path: Path, faults: Faults) -> Iterator[Operator]:
    """Someone with an inventory of the shared lab and no state yet. Their containers go when the test is over."""
    yield Operator(shared_lab, tmp_path)
    faults.mend()
    for host in shared_lab.hosts:
        shared_lab.inside(host, "sh", "-c", CLEAR)


@pytest.fixture
def own_lab(root: None, tmp_path: Path) -> Iterator[TestLab]:
    """A lab that is not made yet, for tests of labs themselves; taken down in the end."""
    lab = TestLab.named("o", tmp_path)
    yield lab
    lab.orch("lab", "down", "--lab", lab.name)
