"""The shapes of all keys of the Compose Specification, and what is said of those that nothing is made of.

What `shapes.shaped` leaves over has long forms only, so the readers need no second way.
"""

from __future__ import annotations

from orch.stackfile.shapes import LATER, Shape
from orch.stackfile.subkeys import (
    BLKIO,
    BUILD,
    DEPENDS_ON,
    DEPLOY,
    DEVELOP,
    DEVICE_REQUESTS,
    ENV_FILE,
    EXTERNAL,
    FILES,
    HEALTHCHECK,
    HOOKS,
    HOOKS_BEFORE,
    MOUNT,
    NETWORKS,
    OPTIONS,
    PAIRS,
    PORT,
    TEXT,
    TEXT_OR_TEXTS,
    TEXTS,
    TOLERATIONS,
    ULIMIT,
    WINDOWS,
    WORDS,
)

SERVICE = Shape(
    keys={
        "annotations": PAIRS,
        "attach": TEXT.but("is about the terminal of `docker compose up`; orch attaches to nothing"),
        "blkio_config": BLKIO,
        "build": BUILD,
        "cap_add": TEXTS,
        "cap_drop": TEXTS,
        "cgroup": TEXT,
        "cgroup_parent": TEXT.but(LATER),
        "command": WORDS,
        "configs": FILES,
        "container_name": TEXT.but(
            "is not used: there may be several replicas, and orch calls them STACK.SERVICE.SLOT"
        ),
        "cpu_count": TEXT.but(WINDOWS),
        "cpu_percent": TEXT.but(WINDOWS),
        "cpu_period": TEXT,
        "cpu_quota": TEXT,
        "cpu_rt_period": TEXT.but(LATER),
        "cpu_rt_runtime": TEXT.but(LATER),
        "cpu_shares": TEXT,
        "cpus": TEXT,
        "cpuset": TEXT,
        "credential_spec": Shape(keys={"config": TEXT, "file": TEXT, "registry": TEXT}, said=WINDOWS),
        "depends_on": DEPENDS_ON,
        "deploy": DEPLOY,
        "develop": DEVELOP,
        "device_cgroup_rules": TEXTS,
        "devices": Shape(items=Shape(scalar=True, keys={"source": TEXT, "target": TEXT, "permissions": TEXT})),
        "dns": TEXT_OR_TEXTS,
        "dns_opt": TEXTS,
        "dns_search": TEXT_OR_TEXTS,
        "domainname": TEXT.but(LATER),
        "entrypoint": WORDS,
        "env_file": ENV_FILE,
        "environment": PAIRS,
        "expose": TEXTS.but("opens nothing: containers of one network reach each other's ports anyway"),
        "extends": Shape(keys={"file": TEXT, "service": TEXT}, short="entry", entry="service", replace=True),
        "external_links": TEXTS.but("is not acted on: services find each other by name, over networks"),
        "extra_hosts": Shape(items=TEXT, short="hosts"),
        "gpus": DEVICE_REQUESTS,
        "group_add": TEXTS,
        "healthcheck": HEALTHCHECK,
        "hostname": TEXT,
        "image": TEXT,
        "init": TEXT,
        "ipc": TEXT,
        "isolation": TEXT.but(WINDOWS),
        "label_file": TEXT_OR_TEXTS,
        "labels": PAIRS,
        "links": TEXTS.but("is not acted on: services find each other by name, over networks"),
        "logging": Shape(keys={"driver": TEXT, "options": OPTIONS}),
        "mac_address": TEXT.but(LATER),
        "mem_limit": TEXT,
        "mem_reservation": TEXT,
        "mem_swappiness": TEXT.but(LATER),
        "memswap_limit": TEXT,
        "models": Shape(names=Shape(keys={"endpoint_var": TEXT, "model_var": TEXT}), short="names", said=LATER),
        "network_mode": TEXT,
        "networks": NETWORKS,
        "oom_kill_disable": TEXT,
        "oom_score_adj": TEXT,
        "pid": TEXT,
        "pids_limit": TEXT,
        "platform": TEXT,
        "ports": Shape(items=PORT),
        "post_start": HOOKS,
        "pre_start": HOOKS_BEFORE,
        "pre_stop": HOOKS,
        "privileged": TEXT,
        "profiles": TEXTS,
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
        "secrets": FILES,
        "security_opt": TEXTS,
        "shm_size": TEXT,
        "stdin_open": TEXT,
        "stop_grace_period": TEXT,
        "stop_signal": TEXT,
        "storage_opt": OPTIONS.but(LATER),
        "sysctls": PAIRS,
        "tmpfs": TEXT_OR_TEXTS,
        "tty": TEXT,
        "ulimits": Shape(names=ULIMIT),
        "use_api_socket": TEXT.but("is not acted on: there is no daemon whose socket a container could use"),
        "user": TEXT,
        "userns_mode": TEXT,
        "uts": TEXT,
        "volumes": Shape(items=MOUNT),
        "volumes_from": TEXTS.but("is not acted on: replicas may be on other nodes; give both services the volume"),
        "working_dir": TEXT,
        "x-orch": Shape(keys={"tolerations": TOLERATIONS}),
    }
)
_NETWORK = Shape(
    keys={
        "attachable": TEXT,
        "driver": TEXT,
        "driver_opts": OPTIONS,
        "enable_ipv4": TEXT,
        "enable_ipv6": TEXT,
        "external": EXTERNAL,
        "internal": TEXT,
        "ipam": Shape(
            keys={
                "config": Shape(
                    items=Shape(keys={"aux_addresses": OPTIONS, "gateway": TEXT, "ip_range": TEXT, "subnet": TEXT})
                ),
                "driver": TEXT,
                "options": OPTIONS,
            }
        ),
        "labels": PAIRS,
        "name": TEXT,
    }
)
_VOLUME = Shape(keys={"driver": TEXT, "driver_opts": OPTIONS, "external": EXTERNAL, "labels": PAIRS, "name": TEXT})
_FILE = {
    "environment": TEXT,
    "external": EXTERNAL,
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
                keys={"env_file": TEXT_OR_TEXTS, "path": TEXT_OR_TEXTS, "project_directory": TEXT},
                short="entry",
                entry="path",
            )
        ),
        "models": Shape(
            names=Shape(keys={"context_size": TEXT, "model": TEXT, "name": TEXT, "runtime_flags": TEXTS}), said=LATER
        ),
        "name": TEXT,
        "networks": Shape(names=_NETWORK, said=LATER),
        "secrets": Shape(
            names=Shape(keys={**_FILE, "driver": TEXT.but(LATER), "driver_opts": OPTIONS.but(LATER)}),
        ),
        "services": Shape(names=SERVICE),
        "version": TEXT,
        "volumes": Shape(names=_VOLUME),
    }
)
