"""(cluster, node) → the text of a node's routes, firewall rules, services and names. Pure."""
