"""`python -m digitnn_fast`: the same as `digitnn-fast`."""

from digitnn_fast.cli import main

main()
