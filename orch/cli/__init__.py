"""The command line: one module for each noun. Heavy imports stay inside the commands, so that help is instant."""
