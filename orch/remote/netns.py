"""Sockets in another network namespace of this machine.

A socket belongs for good to the namespace of the thread that made it, so a thread that enters the namespace,
makes the socket and ends is all it takes; the process itself stays where it is.
"""

import ctypes
import os
import socket
import threading

_CLONE_NEWNET = 0x40000000
_FOLDER = "/run/netns"


def socket_in(netns: str, family: socket.AddressFamily) -> socket.socket:
    """A non-blocking TCP socket made in the named namespace (as `ip netns` lists it).

    Raises OSError when there is no such namespace or no right to enter it.
    """
    made: list[socket.socket | OSError] = []

    def enter_and_make() -> None:
        try:
            _enter(netns)
            made.append(socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
        except OSError as error:
            made.append(error)

    thread = threading.Thread(target=enter_and_make, name=f"netns {netns}")
    thread.start()
    thread.join()
    if isinstance(made[0], OSError):
        raise made[0]
    return made[0]


def _enter(netns: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)  # os.setns came with Python 3.12.
    descriptor = os.open(f"{_FOLDER}/{netns}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(descriptor, _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)
