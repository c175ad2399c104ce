"""When to try a host again that could not be reached, pure."""

FIRST_SECONDS = 1.0
MOST_SECONDS = 8.0
"""With a connection's own ten seconds, a host that comes back is noticed within twenty; and a thousand dead ones cost
less than two hundred attempts a second."""


def retry_delay(failures: int, chance: float) -> float:
    """Seconds to wait after so many failures in a row (1 or more): doubling, and spread so that hosts which were lost
    together do not come back together. `chance` is random, from 0 to 1."""
    return min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, 10)) * (0.5 + chance / 2)
