"""`python -m ose` is the `ose` command."""

from ose.cli.main import main

main()
