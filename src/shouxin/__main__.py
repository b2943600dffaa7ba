"""``python -m shouxin`` is the ``shouxin`` command."""

from shouxin.cli import main

main()
