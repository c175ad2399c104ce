"""What an apply keeps of a stack that its file does not have."""

from __future__ import annotations

import msgspec

from orch.cli.stack import with_services_of
from orch.model.container import FileMount, VolumeMount
from orch.model.spec import StackSpec
from orch.model.volume import FileSpec, VolumeSpec
from tests.unit.clusters import shop, web

MOTD, TOKEN = FileSpec("config", "motd", b"welcome"), FileSpec("secret", "token", b"hush")
DATA, CACHE = VolumeSpec("data", "shop_data"), VolumeSpec("cache", "shop_cache")
OLD = msgspec.structs.replace(
    web(),
    name="old",
    mounts=(VolumeMount("/data", "shop_data"),),
    files=(FileMount("motd", "/motd", MOTD.digest),),
)


def test_a_service_that_stays_keeps_its_volumes_and_files_and_no_others() -> None:
    stored = StackSpec("shop", (OLD, web()), volumes=(CACHE, DATA), files=(MOTD, TOKEN))

    kept = with_services_of(stored, [OLD], shop(web("nginx:2")))

    assert [service.name for service in kept.services] == ["old", "web"]
    assert kept.service("web") == web("nginx:2")
    assert (kept.volumes, kept.files) == ((DATA,), (MOTD,))


def test_what_the_file_says_of_a_volume_or_file_counts() -> None:
    said, welcome = VolumeSpec("data", "shop_data", driver="local"), FileSpec("config", "motd", b"hello")
    stored = StackSpec("shop", (OLD,), volumes=(DATA,), files=(MOTD,))

    kept = with_services_of(stored, [OLD], StackSpec("shop", (web(),), volumes=(said,), files=(welcome,)))

    assert (kept.volumes, kept.files) == ((said,), (welcome,))
