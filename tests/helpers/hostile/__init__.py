"""Inputs that a stranger could have made, and processes that die at any moment: see tests/hostile/README.md."""
