"""`digitnn-fast train` with another number of epochs than the recipe's, for which the command has no option.

Usage: learn_ours.py EPOCHS train --recipe NAME ...
"""

import sys
from dataclasses import replace

from digitnn_fast.training.recipes import RECIPES

epochs = int(sys.argv.pop(1))
name = sys.argv[sys.argv.index("--recipe") + 1]
RECIPES[name] = replace(RECIPES[name], epochs=epochs)

from digitnn_fast.commands.app import main  # noqa: E402  # after the change: whoever copies the table

main()
