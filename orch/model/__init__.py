"""What orch talks about: frozen values without behaviour beyond their own consistency.

No input or output, no clock, no randomness: equal input gives equal bytes.
"""
