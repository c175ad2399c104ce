"""USER PORT KEY HOSTS ROUNDS ADDRESS…: as warm_orch.py, with the parallel-ssh library."""

from __future__ import annotations

import sys
import time

# It runs in the peers' own environment.
from pssh.clients import ParallelSSHClient  # type: ignore[import-not-found]

user, port, key, hosts, rounds, *addresses = sys.argv[1:]
client = ParallelSSHClient(addresses, user=user, port=int(port), pkey=key, pool_size=int(hosts))


def everywhere() -> None:
    output = client.run_command("/bin/true")
    client.join(output)
    assert all(host.exit_code == 0 for host in output)


everywhere()
began = time.process_time()
for _ in range(int(rounds)):
    everywhere()
spent = time.process_time() - began
print(spent * 1000 / int(rounds) / int(hosts))
