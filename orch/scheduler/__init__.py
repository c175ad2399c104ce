"""Where replicas go: filter the nodes that can take one, score them, bind to the best. Pure and deterministic."""
