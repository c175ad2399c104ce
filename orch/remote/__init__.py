"""The way to the hosts: SSH connections that are held open, and persistent shells on them.

netns.py makes sockets in another network namespace, keys.py reads keys and known hosts once, connect.py opens
a verified connection, frames.py is the shell's pure protocol, shell.py runs it over a channel, link.py is all
of one host, pool.py all of a fleet.
"""
