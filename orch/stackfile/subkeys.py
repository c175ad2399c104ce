"""The shapes of what stands within a service's keys: builds, mounts, ports, `deploy` and the rest."""

from __future__ import annotations

from orch.stackfile.shapes import LATER, Shape

TEXT = Shape(scalar=True)
TEXTS = Shape(items=TEXT)
TEXT_OR_TEXTS = Shape(items=TEXT, short="list")
WORDS = Shape(scalar=True, items=TEXT, replace=True)
"""A command line: a text as a shell splits it, or a list of words."""

PAIRS = Shape(names=TEXT, short="pairs")
OPTIONS = Shape(names=TEXT)
EXTERNAL = Shape(scalar=True, keys={"name": TEXT}, replace=True)
ULIMIT = Shape(scalar=True, keys={"soft": TEXT, "hard": TEXT}, replace=True)
WINDOWS = "is for Windows and means nothing to podman"

ENV_FILE = Shape(
    items=Shape(keys={"path": TEXT, "required": TEXT, "format": TEXT}, short="entry", entry="path"), short="list"
)
HOOK = {"command": WORDS, "environment": PAIRS, "privileged": TEXT, "user": TEXT, "working_dir": TEXT}
HOOKS = Shape(items=Shape(keys=HOOK), said=LATER)
HOOKS_BEFORE = Shape(items=Shape(keys={**HOOK, "image": TEXT, "per_replica": TEXT}), said=LATER)
FILES = Shape(
    items=Shape(
        keys={"source": TEXT, "target": TEXT, "uid": TEXT, "gid": TEXT, "mode": TEXT}, short="entry", entry="source"
    )
)
DEVICE_REQUESTS = Shape(
    scalar=True,
    items=Shape(keys={"capabilities": TEXTS, "count": TEXT, "device_ids": TEXTS, "driver": TEXT, "options": PAIRS}),
    said=LATER,
)
GENERIC_RESOURCES = Shape(
    items=Shape(keys={"discrete_resource_spec": Shape(keys={"kind": TEXT, "value": TEXT})}), said=LATER
)
BLKIO_RATES = Shape(items=Shape(keys={"path": TEXT, "rate": TEXT}))
BLKIO = Shape(
    keys={
        "device_read_bps": BLKIO_RATES,
        "device_read_iops": BLKIO_RATES,
        "device_write_bps": BLKIO_RATES,
        "device_write_iops": BLKIO_RATES,
        "weight": TEXT,
        "weight_device": Shape(items=Shape(keys={"path": TEXT, "weight": TEXT})),
    },
    said=LATER,
)
BUILD = Shape(
    keys={
        "additional_contexts": PAIRS,
        "args": PAIRS,
        "cache_from": TEXTS,
        "cache_to": TEXTS,
        "context": TEXT,
        "dockerfile": TEXT,
        "dockerfile_inline": TEXT,
        "entitlements": TEXTS,
        "extra_hosts": Shape(items=TEXT, short="hosts"),
        "isolation": TEXT,
        "labels": PAIRS,
        "network": TEXT,
        "no_cache": TEXT,
        "no_cache_filter": TEXT_OR_TEXTS,
        "platforms": TEXTS,
        "privileged": TEXT,
        "provenance": TEXT,
        "pull": TEXT,
        "sbom": TEXT,
        "secrets": FILES,
        "shm_size": TEXT,
        "ssh": PAIRS,
        "tags": TEXTS,
        "target": TEXT,
        "ulimits": Shape(names=ULIMIT),
    },
    short="entry",
    entry="context",
    said="is not acted on: orch runs the image and does not build it",
)
DEVELOP = Shape(
    keys={
        "watch": Shape(
            items=Shape(
                keys={
                    "action": TEXT,
                    "exec": Shape(keys=HOOK),
                    "ignore": TEXT_OR_TEXTS,
                    "include": TEXT_OR_TEXTS,
                    "initial_sync": TEXT,
                    "path": TEXT,
                    "target": TEXT,
                }
            )
        )
    },
    said="is for developing on one machine; orch does not watch files",
)
HEALTHCHECK = Shape(
    keys={
        "disable": TEXT,
        "interval": TEXT,
        "retries": TEXT,
        "start_interval": TEXT,
        "start_period": TEXT,
        "test": WORDS,
        "timeout": TEXT,
    }
)
UPDATE = Shape(
    keys={
        "delay": TEXT,
        "failure_action": TEXT,
        "max_failure_ratio": TEXT,
        "monitor": TEXT,
        "order": TEXT,
        "parallelism": TEXT,
    },
    said=LATER,
)
DEPLOY = Shape(
    keys={
        "endpoint_mode": TEXT.but(LATER),
        "labels": PAIRS,
        "mode": TEXT,
        "placement": Shape(
            keys={
                "constraints": TEXTS,
                "max_replicas_per_node": TEXT,
                "preferences": Shape(items=Shape(keys={"spread": TEXT})),
            }
        ),
        "replicas": TEXT,
        "resources": Shape(
            keys={
                "limits": Shape(keys={"cpus": TEXT, "memory": TEXT, "pids": TEXT}),
                "reservations": Shape(
                    keys={
                        "cpus": TEXT,
                        "devices": DEVICE_REQUESTS,
                        "generic_resources": GENERIC_RESOURCES,
                        "memory": TEXT,
                    }
                ),
            }
        ),
        "restart_policy": Shape(
            keys={
                "condition": TEXT,
                "delay": TEXT.but(LATER),
                "max_attempts": TEXT,
                "window": TEXT.but(LATER),
            }
        ),
        "rollback_config": UPDATE,
        "update_config": UPDATE,
    }
)
MOUNT = Shape(
    scalar=True,
    keys={
        "bind": Shape(
            keys={
                "create_host_path": TEXT,
                "propagation": TEXT,
                "recursive": TEXT.but(LATER),
                "selinux": TEXT,
            }
        ),
        "consistency": TEXT,
        "image": Shape(keys={"subpath": TEXT}),
        "read_only": TEXT,
        "source": TEXT,
        "target": TEXT,
        "tmpfs": Shape(keys={"mode": TEXT, "size": TEXT}),
        "type": TEXT,
        "volume": Shape(keys={"labels": PAIRS.but(LATER), "nocopy": TEXT, "subpath": TEXT}),
    },
)
PORT = Shape(
    scalar=True,
    keys={
        "app_protocol": TEXT,
        "host_ip": TEXT,
        "mode": TEXT,
        "name": TEXT,
        "protocol": TEXT,
        "published": TEXT,
        "target": TEXT,
    },
)
NETWORKS = Shape(
    names=Shape(
        keys={
            "aliases": TEXTS,
            "driver_opts": OPTIONS,
            "gw_priority": TEXT,
            "interface_name": TEXT,
            "ipv4_address": TEXT,
            "ipv6_address": TEXT,
            "link_local_ips": TEXTS,
            "mac_address": TEXT,
            "priority": TEXT,
        }
    ),
    short="names",
    said=LATER,
)
DEPENDS_ON = Shape(
    names=Shape(keys={"condition": TEXT, "required": TEXT, "restart": TEXT}),
    short="names",
    defaults={"condition": "service_started", "required": "true"},
    said=LATER,
)
TOLERATIONS = Shape(items=Shape(scalar=True, keys={"key": TEXT, "value": TEXT, "effect": TEXT}))
