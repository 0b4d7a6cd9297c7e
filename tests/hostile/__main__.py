"""The long form: `python -m tests.hostile`, from the repository's root."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from hostile.campaign import main

sys.exit(main())
