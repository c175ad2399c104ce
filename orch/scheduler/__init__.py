"""Where replicas go. Pure and deterministic; docs/design/scheduler.md says why it is as it is.

    claims ──▶ filter ─────────▶ score ─────────────────────▶ bind
               ready, volumes,   spread over values of        the node fills up;
               constraints,      attributes, fewest of the    a predecessor's room
               taints, most on   service, least allocated,    comes free
               one node, ports,  image there, name
               memory and CPU
                   └──▶ what fits nowhere is refused: how many nodes fail what, and the nearest miss

| module | has |
|---|---|
| claim.py | the input: what a replica needs, and the rooms that there are |
| node.py | a room that fills up, and all of them |
| filters.py | what keeps a replica off a node, and how that is told |
| tree.py | the candidates for one service in the order in which they are taken |
| place.py | binding |
| explain.py | why nothing fits |
"""
