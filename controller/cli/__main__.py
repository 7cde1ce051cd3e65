"""`python -m controller.cli`."""

from controller.cli.app import app

app()
