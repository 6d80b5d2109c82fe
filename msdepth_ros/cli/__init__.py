# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command `msdepth`: one module of this package a subcommand.

A subcommand's module has HELP, add_arguments(parser) and run(arguments) -> exit code, and imports
what is heavy inside `run`.
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
    """Run a subcommand; a user's error is one line on stderr and exit code 2."""
    os.environ.setdefault('OPENCV_LOG_LEVEL', 'OFF')  # errors are told in one line
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of files need not be UTF-8
        sys.stdout.reconfigure(errors='backslashreplace')
    parser = argparse.ArgumentParser(prog='msdepth', description='Metric depth from one camera.')
    parser.add_argument('--version', action='version', version=f'msdepth_ros {__version__}')
    commands = parser.add_subparsers(dest='command', metavar='COMMAND', required=True)
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        module = importlib.import_module(f'{__name__}.{info.name}')
        command = commands.add_parser(
            info.name.replace('_', '-'), help=module.HELP, description=module.HELP
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
