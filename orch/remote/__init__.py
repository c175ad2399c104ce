"""The way to the hosts: SSH connections that are held open, and what runs over them.

target.py says where a connection goes, dial.py makes its socket, connect.py opens it, verified, with known.py, keys.py
and ask.py; explain.py says why it could not. pipe.py is one process at the other end, local.py the same on this
machine, become.py a shell through sudo. frames.py is the shell's pure protocol, shell.py runs short commands with it,
stream.py a long one, kill.py ends either. link.py is all of one host, pool.py all of a fleet.
"""
