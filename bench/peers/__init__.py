"""What a user would otherwise take. In-process rivals here; scripts that stand for a whole process beside it."""
