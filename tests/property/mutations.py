"""Valid files, and what becomes of them under careless hands."""

from __future__ import annotations

from hypothesis import strategies as st

INVENTORY = """\
all:
  vars:
    ansible_user: deploy
    ansible_become: true
    ansible_ssh_private_key_file: keys/id
    ansible_ssh_common_args: -C -o UserKnownHostsFile=known_hosts -J bastion
    ansible_become_password: "{{ lookup('env', 'WORD') | default(word, true) }}"
    word: "{{ ['x', inventory_hostname_short] | join('-') }}"
    orch: {cluster: prod, reserved: {memory: 512m}, container_range: 10.9.0.0/16}
  children:
    web:
      hosts:
        w[01:03]:
          ansible_port: 2222
        x1: {ansible_host: 10.0.0.9, orch: {capacity: {cpus: 2, memory: 4g}, labels: {zone: a}, schedulable: false}}
        y1:
          ansible_port: "{{ hostvars.x1.port + 1 }}"
          orch: {taints: ["a=b:NoExecute", {key: c, effect: NoSchedule}]}
        "2001:db8::[1:2]": {secret: !vault "$ANSIBLE_VAULT;1.1", raw: !unsafe "{{"}
      vars: &shared
        port: 2200
        ansible_group_priority: 2
        orch: {labels: {disk: ssd, rack: "{{ group_names | first }}"}}
    db:
      children: {web: }
      vars: *shared
"""

GROUP_VARS = """\
ansible_user: "{{ 'deploy' if stage == 'prod' else lookup('file', 'user') }}"
stage: prod
nested: {list: [1, "{{ stage }}"], none: }
text: |
  two
  lines
orch:
  labels: {stage: "{{ stage }}"}
"""

COMPOSE = """\
name: shop
version: "3.8"
x-base: &base
  restart: on-failure:3
  stop_grace_period: 1m30s
services:
  web:
    <<: *base
    image: "nginx:${TAG:-1}"
    command: ["nginx", "-g", "daemon off;"]
    entrypoint: /bin/sh -c 'exec "$$@"'
    environment: {A: 1, B: "two\\nlines", SECRET: }
    deploy:
      mode: replicated
      replicas: 3
      resources:
        limits: {cpus: "0.5", memory: 64m}
        reservations: {cpus: 0.25, memory: 32m}
  cache:
    image: quay.io/org/cache@sha256:00
    environment: [A=1, SECRET]
    scale: 2
"""

_PIECES = [
    "\n", "\n  ", "\t", " ", ":", ": ", "- ", "[", "]", "{", "}", ",", "&a ", "*a", "<<: *a", "!!int ", "!!bool ",
    "!!float ''", "!!timestamp x", "!!binary x", "!!set ", "!x ", "?", "|\n", "> ", "'", '"', '"\\0"', '"\\ud800"',
    "#", "%", "---\n", "...", "$", "$$", "${", "}", "${X:-", "~", "null", "true", "no", "0", "-1", "1e9",
    "9999999999999999999999", "0x1f", "1:30", ".inf", ".nan", "2024-99-99", "[1:3]", "[9:1]",
    "[0:99999999999999999999]", "{{ ", " }}", "{{ word }}", "{% if", " %}", "{{ x | ", "!vault ", "!unsafe ",
    "$ANSIBLE_VAULT", "[web]\n", "-o X=y", "-J", "10.64.0.1", "é",
    "\x00", "\x85", "\u2028", "~root/x", "~nobody-here/x",
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, *originals: str) -> str:
    """One of the texts after one to four changes: something cut out, put in, or said twice."""
    text = draw(st.sampled_from(originals))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        change = draw(st.sampled_from(["cut", "put", "replace", "twice", "value"]))
        piece = draw(st.sampled_from(_PIECES) | st.text(max_size=3))
        match change:
            case "cut":
                text = text[:start] + text[end:]
            case "put":
                text = text[:start] + piece + text[start:]
            case "replace":
                text = text[:start] + piece + text[end:]
            case "twice":
                text = text[:end] + text[start:]
            case _:
                text = _with_another_value(text, start, piece)
    return text


def _with_another_value(text: str, start: int, piece: str) -> str:
    """The rest of the line after the next colon is replaced."""
    colon = text.find(": ", start)
    line_end = text.find("\n", colon)
    return text if colon < 0 or line_end < 0 else f"{text[: colon + 2]}{piece}{text[line_end:]}"
