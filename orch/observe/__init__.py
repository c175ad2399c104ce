"""What a node says of itself: a small POSIX sh program, the reading of its output, and asking a whole fleet."""
