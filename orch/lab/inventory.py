"""The inventory that a lab comes with."""

from __future__ import annotations

import yaml

from orch.lab.layout import USER, Lab, LabPaths


def write_inventory(lab: Lab, paths: LabPaths) -> None:
    """As a user would write it for these hosts, but for `netns`: their network is reached from inside it alone."""
    paths.inventory.write_text(
        yaml.safe_dump(
            {
                "all": {
                    "vars": {
                        "ansible_user": USER,
                        "ansible_become": True,
                        "ansible_ssh_private_key_file": str(paths.key),
                        "ansible_ssh_common_args": f"-F /dev/null -o UserKnownHostsFile={paths.known_hosts}",
                        "orch": {"cluster": f"lab-{lab.name}", "netns": paths.switch},
                    },
                    "hosts": {host.name: {"ansible_host": host.address} for host in lab.hosts},
                }
            },
            sort_keys=False,
        )
    )
