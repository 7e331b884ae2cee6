"""The start of every command, by ``doisoat`` or ``python -m etl``.

Belongs here: listening for signals before anything else is loaded, because loading takes longer
than a signal may wait. Does not belong here: the commands (``etl/cli``).
"""

import os

from etl.process.stopping import run


def _command() -> int:
    from etl.cli.app import command

    return command()


def main() -> None:
    """Runs the command line until it ends, or a signal ends it."""
    os._exit(run(_command))


if __name__ == "__main__":
    main()
