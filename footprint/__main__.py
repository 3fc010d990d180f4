"""`python -m footprint` is the command `footprint`."""

from footprint.cli.main import run

run()
