"""The fleet as its files describe it: Ansible's YAML inventory format, ours under the one variable `orch`.

sources.py reads files, groups.py makes the tree of groups, variables.py merges, templates.py renders, hosts.py makes
hosts of it all; patterns.py and matching.py choose among them; fleet.py has the result. docs/design/inventory.md says
what is read and how it is built.
"""
