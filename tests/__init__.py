"""unit, property, golden: pure parts. ssh: a real sshd on loopback. lab: real hosts. bench: benchmarks."""
