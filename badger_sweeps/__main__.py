"""``python -m badger_sweeps`` is ``badger-sweeps``."""

from badger_sweeps.commands.main import main

main()
