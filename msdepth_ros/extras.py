# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Optional libraries: asked for by name before they are imported."""

import importlib.util

from msdepth_ros.errors import MsdepthError


def require(*modules: str, extra: str = 'train') -> None:
    """Raise MsdepthError unless modules that only some commands need are installed.

    Parameters
    ----------
    modules : to be imported.
    extra : the extra of setup.py that installs them.
    """
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise MsdepthError(
            f'this command needs {", ".join(missing)}, which a robot does not: '
            f"pip install 'msdepth_ros[{extra}]', from a checkout `pip install .[{extra}]`"
        )
