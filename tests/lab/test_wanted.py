"""What a Compose file asks for, from its text to real containers: files, volumes, ports, places."""

from __future__ import annotations

from tests.lab.hosts import Faults, Operator

SHOP = """
name: shop
services:
  web:
    image: localhost/busybox:latest
    command: httpd -f -p 8080 -h /srv
    stop_grace_period: 0s
    configs: [{source: page, target: /srv/index.html}]
    secrets: [{source: token, mode: 0400}]
    volumes: ["data:/data"]
    ports: [{target: 8080, published: 18080, mode: host}]
    deploy:
      placement: {constraints: ["node.hostname != w1", "node.hostname != w3"]}
  other:
    image: localhost/busybox:latest
    command: sleep 1000
    stop_grace_period: 0s
configs: {page: {content: "PAGE"}}
secrets: {token: {file: ./token}}
volumes: {data: {}}
"""
KEEPER = """
name: keep
services:
  db:
    image: localhost/busybox:latest
    command: sleep 1000
    stop_grace_period: 0s
    volumes: ["data:/data"]
    deploy: {replicas: REPLICAS}
volumes: {data: {}}
"""
PORTED = """
name: NAME
services:
  web:
    image: localhost/busybox:latest
    command: sleep 1000
    stop_grace_period: 0s
    ports: [{target: 8080, published: 18081, mode: host}]
    deploy: {replicas: REPLICAS}
"""


def within(op: Operator, node: str, container: str, script: str) -> str:
    return op.lab.inside(node, "podman", "exec", container, "sh", "-c", script)


def test_files_volumes_ports_and_places_are_as_the_file_has_them(op: Operator) -> None:
    (op.folder / "token").write_text("hush")
    op.apply(SHOP.replace("PAGE", "welcome"))
    assert op.ps()["shop/web.1"]["node"] == "w2"
    seen = within(op, "w2", "shop.web.1", "cat /run/secrets/token; stat -c %a /run/secrets/token; echo 7 >/data/n")
    assert seen == "hush400\n"
    assert op.lab.inside("w2", "busybox", "wget", "-qO-", "http://127.0.0.1:18080/") == "welcome"
    before = {name: row["id"] for name, row in op.ps().items()}

    assert "nothing to change" in op.apply(SHOP.replace("PAGE", "welcome")).stderr
    assert {name: row["id"] for name, row in op.ps().items()} == before

    op.apply(SHOP.replace("PAGE", "closed"))
    assert op.lab.inside("w2", "busybox", "wget", "-qO-", "http://127.0.0.1:18080/") == "closed"
    assert within(op, "w2", "shop.web.1", "cat /data/n") == "7\n"
    assert {name for name, row in op.ps().items() if row["id"] == before[name]} == {"shop/other.1"}

    op.orch("rm", "shop", "--yes", "--volumes")
    assert op.lab.inside("w2", "podman", "volume", "ls", "--quiet") == ""
    assert op.lab.inside("w2", "find", "/var/lib/orch", "-type", "f", "-path", "*files*") == ""


def test_a_volume_whose_node_is_away_is_waited_for_and_said_to_be(op: Operator, faults: Faults) -> None:
    op.apply(KEEPER.replace("REPLICAS", "1"))
    home = op.ps()["keep/db.1"]["node"]
    within(op, home, "keep.db.1", "echo 7 >/data/n")
    op.apply(KEEPER.replace("REPLICAS", "0"))
    faults.kill(home)

    refused = op.apply(KEEPER.replace("REPLICAS", "1"), "--timeout", "2", status=4)
    assert "keep/db.1: " in refused.stderr
    assert f"its volume keep_data is: on {home} (unreachable)" in refused.stderr

    faults.start(home)
    op.apply(KEEPER.replace("REPLICAS", "1"))
    assert within(op, home, "keep.db.1", "cat /data/n") == "7\n"


def test_two_stacks_that_claim_one_port_are_told_who_has_it(op: Operator) -> None:
    op.apply(PORTED.replace("NAME", "one").replace("REPLICAS", "3"))
    refused = op.apply(PORTED.replace("NAME", "two").replace("REPLICAS", "1"), status=4)
    assert "two/web.1: " in refused.stderr
    assert "18081" in refused.stderr
    assert "one/web." in refused.stderr
    assert {name for name, row in op.ps().items() if row["state"] == "running"} == {f"one/web.{n}" for n in (1, 2, 3)}

    op.apply(PORTED.replace("NAME", "one").replace("REPLICAS", "2"))
    assert op.ps()["two/web.1"]["state"] == "running"
