"""The checkout that the tests stand in, for what no installation has: README, notebook, submission, Kaggle's files."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
KAGGLE = ROOT.parent / "shared" / "data"
