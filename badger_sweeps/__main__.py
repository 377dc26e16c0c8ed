"""``python -m badger_sweeps`` is ``badger-sweeps``."""

from badger_sweeps.commands.app import main

main()
