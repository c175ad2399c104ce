"""Names of images, completed as Docker completes them."""

import pytest

from orch.model.images import complete_image

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("written", "complete"),
    [
        ("redis", "docker.io/library/redis:latest"),
        ("redis:7", "docker.io/library/redis:7"),
        ("bitnami/redis", "docker.io/bitnami/redis:latest"),
        ("bitnami/redis:7", "docker.io/bitnami/redis:7"),
        ("a/b/c", "docker.io/a/b/c:latest"),
        ("localhost/x", "localhost/x:latest"),
        ("localhost/x:1", "localhost/x:1"),
        ("localhost", "docker.io/library/localhost:latest"),
        ("quay.io/org/app", "quay.io/org/app:latest"),
        ("quay.io/org/app:v1.2", "quay.io/org/app:v1.2"),
        ("registry:5000/app", "registry:5000/app:latest"),
        ("registry:5000/app:1", "registry:5000/app:1"),
        ("registry.example:5000/a/b", "registry.example:5000/a/b:latest"),
    ],
)
def test_a_short_name_gets_its_registry_and_its_tag(written: str, complete: str) -> None:
    assert complete_image(written) == complete


@pytest.mark.parametrize(
    ("written", "complete"),
    [
        (f"redis@{DIGEST}", f"docker.io/library/redis@{DIGEST}"),
        (f"redis:7@{DIGEST}", f"docker.io/library/redis:7@{DIGEST}"),
        (f"org/app@{DIGEST}", f"docker.io/org/app@{DIGEST}"),
        (f"localhost/app@{DIGEST}", f"localhost/app@{DIGEST}"),
    ],
)
def test_a_digest_needs_no_tag(written: str, complete: str) -> None:
    assert complete_image(written) == complete


@pytest.mark.parametrize("written", ["redis", "org/app:1", "localhost/x", f"redis@{DIGEST}", "host:5000/x"])
def test_a_complete_name_stays_as_it_is(written: str) -> None:
    complete = complete_image(written)

    assert complete_image(complete) == complete
