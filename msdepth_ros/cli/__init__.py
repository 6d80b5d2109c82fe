# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command `msdepth`: each module without a leading underscore is a subcommand.

Such a module has HELP, add_arguments(parser) and run(arguments) -> exit code, and imports heavy
libraries inside `run`.
"""

import argparse
import importlib
import io
import os
import pkgutil
import sys

from msdepth_ros import __version__
from msdepth_ros.errors import MsdepthError


def main(arguments: list[str] | None = None) -> int:
    """Run a subcommand; on a user's error print one line to stderr and return exit code 2."""
    os.environ.setdefault('OPENCV_LOG_LEVEL', 'OFF')  # errors are reported in one line, by us
    if isinstance(sys.stdout, io.TextIOWrapper):  # file names need not be UTF-8
        sys.stdout.reconfigure(errors='backslashreplace')
    parser = argparse.ArgumentParser(prog='msdepth', description='Metric depth from one camera.')
    parser.add_argument('--version', action='version', version=f'msdepth_ros {__version__}')
    commands = parser.add_subparsers(dest='command', metavar='COMMAND', required=True)
    names = sorted(info.name for info in pkgutil.iter_modules(__path__))
    for name in (name for name in names if not name.startswith('_')):
        module = importlib.import_module(f'{__name__}.{name}')
        command = commands.add_parser(
            name.replace('_', '-'), help=module.HELP, description=module.HELP
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    parsed = parser.parse_args(arguments)
    try:
        return parsed.run(parsed)
    except MsdepthError as error:
        print(f'msdepth {parsed.command}: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
