# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Optional libraries: checked before they are imported."""

import importlib.util

from msdepth_ros.errors import MsdepthError


def require(*modules: str, extra: str = 'train') -> None:
    """Check that the modules of an optional command are installed.

    Parameters
    ----------
    modules : names as in an import.
    extra : the extra of setup.py that installs them.

    Raises
    ------
    MsdepthError
        If one is missing; the message says how to install it.
    """
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise MsdepthError(
            f'this command needs {", ".join(missing)}: '
            f"pip install 'msdepth_ros[{extra}]', from a checkout `pip install .[{extra}]`"
        )
