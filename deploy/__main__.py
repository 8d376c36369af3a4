"""`python -m deploy`: the same as the `clientbilling` command."""

from deploy.cli import main

main()
