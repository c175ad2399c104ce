"""The fleet as its files describe it: Ansible's YAML inventory format, ours under the one variable `orch`.

ranges.py and patterns.py read names, groups.py merges variables, hosts.py makes hosts of them; fleet.py has
the result and its reading from files. docs/design/inventory.md lists what is read.
"""
