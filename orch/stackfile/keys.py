"""The shapes of all keys of the Compose Specification, and what is said of those that nothing is made of.

What `shapes.shaped` leaves over has long forms only, so the readers need no second way.
"""

from __future__ import annotations

from orch.stackfile.shapes import LATER, Shape

TEXT = Shape(scalar=True)
_TEXTS = Shape(items=TEXT)
_TEXT_OR_TEXTS = Shape(items=TEXT, short="list")
WORDS = Shape(scalar=True, items=TEXT, replace=True)
"""A command line: a text as a shell splits it, or a list of words."""

PAIRS = Shape(names=TEXT, short="pairs")
_OPTIONS = Shape(names=TEXT)
_EXTERNAL = Shape(scalar=True, keys={"name": TEXT}, replace=True)
_ULIMIT = Shape(scalar=True, keys={"soft": TEXT, "hard": TEXT}, replace=True)
_WINDOWS = "is for Windows and means nothing to podman"

_ENV_FILE = Shape(
    items=Shape(keys={"path": TEXT, "required": TEXT, "format": TEXT}, short="entry", entry="path"), short="list"
)
_HOOK = {"command": WORDS, "environment": PAIRS, "privileged": TEXT, "user": TEXT, "working_dir": TEXT}
_HOOKS = Shape(items=Shape(keys=_HOOK), said=LATER)
_HOOKS_BEFORE = Shape(items=Shape(keys={**_HOOK, "image": TEXT, "per_replica": TEXT}), said=LATER)
_FILES = Shape(
    items=Shape(
        keys={"source": TEXT, "target": TEXT, "uid": TEXT, "gid": TEXT, "mode": TEXT}, short="entry", entry="source"
    )
)
_DEVICE_REQUESTS = Shape(
    scalar=True,
    items=Shape(keys={"capabilities": _TEXTS, "count": TEXT, "device_ids": _TEXTS, "driver": TEXT, "options": PAIRS}),
    said=LATER,
)
_GENERIC_RESOURCES = Shape(
    items=Shape(keys={"discrete_resource_spec": Shape(keys={"kind": TEXT, "value": TEXT})}), said=LATER
)
_BLKIO_RATES = Shape(items=Shape(keys={"path": TEXT, "rate": TEXT}))
_BLKIO = Shape(
    keys={
        "device_read_bps": _BLKIO_RATES,
        "device_read_iops": _BLKIO_RATES,
        "device_write_bps": _BLKIO_RATES,
        "device_write_iops": _BLKIO_RATES,
        "weight": TEXT,
        "weight_device": Shape(items=Shape(keys={"path": TEXT, "weight": TEXT})),
    },
    said=LATER,
)
BUILD = Shape(
    keys={
        "additional_contexts": PAIRS,
        "args": PAIRS,
        "cache_from": _TEXTS,
        "cache_to": _TEXTS,
        "context": TEXT,
        "dockerfile": TEXT,
        "dockerfile_inline": TEXT,
        "entitlements": _TEXTS,
        "extra_hosts": Shape(items=TEXT, short="hosts"),
        "isolation": TEXT,
        "labels": PAIRS,
        "network": TEXT,
        "no_cache": TEXT,
        "no_cache_filter": _TEXT_OR_TEXTS,
        "platforms": _TEXTS,
        "privileged": TEXT,
        "provenance": TEXT,
        "pull": TEXT,
        "sbom": TEXT,
        "secrets": _FILES,
        "shm_size": TEXT,
        "ssh": PAIRS,
        "tags": _TEXTS,
        "target": TEXT,
        "ulimits": Shape(names=_ULIMIT),
    },
    short="entry",
    entry="context",
    said="is not acted on: orch runs the image and does not build it",
)
_DEVELOP = Shape(
    keys={
        "watch": Shape(
            items=Shape(
                keys={
                    "action": TEXT,
                    "exec": Shape(keys=_HOOK),
                    "ignore": _TEXT_OR_TEXTS,
                    "include": _TEXT_OR_TEXTS,
                    "initial_sync": TEXT,
                    "path": TEXT,
                    "target": TEXT,
                }
            )
        )
    },
    said="is for developing on one machine; orch does not watch files",
)
_HEALTHCHECK = Shape(
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
_UPDATE = Shape(
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
                "constraints": _TEXTS,
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
                        "devices": _DEVICE_REQUESTS,
                        "generic_resources": _GENERIC_RESOURCES,
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
        "rollback_config": _UPDATE,
        "update_config": _UPDATE,
    }
)
_MOUNT = Shape(
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
_PORT = Shape(
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
_NETWORKS = Shape(
    names=Shape(
        keys={
            "aliases": _TEXTS,
            "driver_opts": _OPTIONS,
            "gw_priority": TEXT,
            "interface_name": TEXT,
            "ipv4_address": TEXT,
            "ipv6_address": TEXT,
            "link_local_ips": _TEXTS,
            "mac_address": TEXT,
            "priority": TEXT,
        }
    ),
    short="names",
    said=LATER,
)
_DEPENDS_ON = Shape(
    names=Shape(keys={"condition": TEXT, "required": TEXT, "restart": TEXT}),
    short="names",
    defaults={"condition": "service_started", "required": "true"},
    said=LATER,
)
_TOLERATIONS = Shape(items=Shape(scalar=True, keys={"key": TEXT, "value": TEXT, "effect": TEXT}))

SERVICE = Shape(
    keys={
        "annotations": PAIRS,
        "attach": TEXT.but("is about the terminal of `docker compose up`; orch attaches to nothing"),
        "blkio_config": _BLKIO,
        "build": BUILD,
        "cap_add": _TEXTS,
        "cap_drop": _TEXTS,
        "cgroup": TEXT,
        "cgroup_parent": TEXT.but(LATER),
        "command": WORDS,
        "configs": _FILES,
        "container_name": TEXT.but(
            "is not used: there may be several replicas, and orch calls them STACK.SERVICE.SLOT"
        ),
        "cpu_count": TEXT.but(_WINDOWS),
        "cpu_percent": TEXT.but(_WINDOWS),
        "cpu_period": TEXT,
        "cpu_quota": TEXT,
        "cpu_rt_period": TEXT.but(LATER),
        "cpu_rt_runtime": TEXT.but(LATER),
        "cpu_shares": TEXT,
        "cpus": TEXT,
        "cpuset": TEXT,
        "credential_spec": Shape(keys={"config": TEXT, "file": TEXT, "registry": TEXT}, said=_WINDOWS),
        "depends_on": _DEPENDS_ON,
        "deploy": DEPLOY,
        "develop": _DEVELOP,
        "device_cgroup_rules": _TEXTS,
        "devices": Shape(items=Shape(scalar=True, keys={"source": TEXT, "target": TEXT, "permissions": TEXT})),
        "dns": _TEXT_OR_TEXTS,
        "dns_opt": _TEXTS,
        "dns_search": _TEXT_OR_TEXTS,
        "domainname": TEXT.but(LATER),
        "entrypoint": WORDS,
        "env_file": _ENV_FILE,
        "environment": PAIRS,
        "expose": _TEXTS.but("opens nothing: containers of one network reach each other's ports anyway"),
        "extends": Shape(keys={"file": TEXT, "service": TEXT}, short="entry", entry="service", replace=True),
        "external_links": _TEXTS.but("is not acted on: services find each other by name, over networks"),
        "extra_hosts": Shape(items=TEXT, short="hosts"),
        "gpus": _DEVICE_REQUESTS,
        "group_add": _TEXTS,
        "healthcheck": _HEALTHCHECK,
        "hostname": TEXT,
        "image": TEXT,
        "init": TEXT,
        "ipc": TEXT,
        "isolation": TEXT.but(_WINDOWS),
        "label_file": _TEXT_OR_TEXTS,
        "labels": PAIRS,
        "links": _TEXTS.but("is not acted on: services find each other by name, over networks"),
        "logging": Shape(keys={"driver": TEXT, "options": _OPTIONS}),
        "mac_address": TEXT.but(LATER),
        "mem_limit": TEXT,
        "mem_reservation": TEXT,
        "mem_swappiness": TEXT.but(LATER),
        "memswap_limit": TEXT,
        "models": Shape(names=Shape(keys={"endpoint_var": TEXT, "model_var": TEXT}), short="names", said=LATER),
        "network_mode": TEXT,
        "networks": _NETWORKS,
        "oom_kill_disable": TEXT,
        "oom_score_adj": TEXT,
        "pid": TEXT,
        "pids_limit": TEXT,
        "platform": TEXT,
        "ports": Shape(items=_PORT),
        "post_start": _HOOKS,
        "pre_start": _HOOKS_BEFORE,
        "pre_stop": _HOOKS,
        "privileged": TEXT,
        "profiles": _TEXTS,
        "provider": Shape(
            keys={"options": Shape(names=Shape(scalar=True, items=TEXT)), "type": TEXT},
            said="is not acted on: the service is left out, and what its provider does is to be done beforehand",
        ),
        "pull_policy": TEXT,
        "pull_refresh_after": TEXT.but(LATER),
        "read_only": TEXT,
        "restart": TEXT,
        "runtime": TEXT,
        "scale": TEXT,
        "secrets": _FILES,
        "security_opt": _TEXTS,
        "shm_size": TEXT,
        "stdin_open": TEXT,
        "stop_grace_period": TEXT,
        "stop_signal": TEXT,
        "storage_opt": _OPTIONS.but(LATER),
        "sysctls": PAIRS,
        "tmpfs": _TEXT_OR_TEXTS,
        "tty": TEXT,
        "ulimits": Shape(names=_ULIMIT),
        "use_api_socket": TEXT.but("is not acted on: there is no daemon whose socket a container could use"),
        "user": TEXT,
        "userns_mode": TEXT,
        "uts": TEXT,
        "volumes": Shape(items=_MOUNT),
        "volumes_from": _TEXTS.but("is not acted on: replicas may be on other nodes; give both services the volume"),
        "working_dir": TEXT,
        "x-orch": Shape(keys={"tolerations": _TOLERATIONS}),
    }
)
_NETWORK = Shape(
    keys={
        "attachable": TEXT,
        "driver": TEXT,
        "driver_opts": _OPTIONS,
        "enable_ipv4": TEXT,
        "enable_ipv6": TEXT,
        "external": _EXTERNAL,
        "internal": TEXT,
        "ipam": Shape(
            keys={
                "config": Shape(
                    items=Shape(keys={"aux_addresses": _OPTIONS, "gateway": TEXT, "ip_range": TEXT, "subnet": TEXT})
                ),
                "driver": TEXT,
                "options": _OPTIONS,
            }
        ),
        "labels": PAIRS,
        "name": TEXT,
    }
)
_VOLUME = Shape(keys={"driver": TEXT, "driver_opts": _OPTIONS, "external": _EXTERNAL, "labels": PAIRS, "name": TEXT})
_FILE = {
    "environment": TEXT,
    "external": _EXTERNAL,
    "file": TEXT,
    "labels": PAIRS,
    "name": TEXT,
    "template_driver": TEXT.but(LATER),
}
STACK = Shape(
    keys={
        "configs": Shape(names=Shape(keys={**_FILE, "content": TEXT})),
        "include": Shape(
            items=Shape(
                keys={"env_file": _TEXT_OR_TEXTS, "path": _TEXT_OR_TEXTS, "project_directory": TEXT},
                short="entry",
                entry="path",
            )
        ),
        "models": Shape(
            names=Shape(keys={"context_size": TEXT, "model": TEXT, "name": TEXT, "runtime_flags": _TEXTS}), said=LATER
        ),
        "name": TEXT,
        "networks": Shape(names=_NETWORK, said=LATER),
        "secrets": Shape(
            names=Shape(keys={**_FILE, "driver": TEXT.but(LATER), "driver_opts": _OPTIONS.but(LATER)}),
        ),
        "services": Shape(names=SERVICE),
        "version": TEXT,
        "volumes": Shape(names=_VOLUME),
    }
)
