"""What must last: the stacks wanted and the record of every replica. Never metrics, never observations."""
