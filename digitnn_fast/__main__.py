"""`python -m digitnn_fast`: the same as `digitnn-fast`."""

from digitnn_fast.commands.app import main

main()
