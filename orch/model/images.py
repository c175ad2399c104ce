"""Names of container images, completed as Docker completes them."""


def complete_image(name: str) -> str:
    """`redis` → `docker.io/library/redis:latest`; `localhost/x:1` and names with a registry stay.

    The first part is a registry when it has a dot or a port, or is `localhost`.
    """
    path, at, digest = name.partition("@")
    first, slash, _ = path.partition("/")
    if not slash:
        path = f"docker.io/library/{path}"
    elif not ("." in first or ":" in first or first == "localhost"):
        path = f"docker.io/{path}"
    elif first == "docker.io" and path.count("/") == 1:
        path = path.replace("/", "/library/")
    tagged = ":" in path.rpartition("/")[2]
    return f"{path}{at}{digest}" if at or tagged else f"{path}:latest"
