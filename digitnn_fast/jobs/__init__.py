"""Whole jobs on files: check, read, train, predict, write. A command calls one job and reports its result."""
