# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Optional libraries: asked for by name before they are imported."""

import importlib.util

from msdepth_ros.errors import MsdepthError


def require(*modules: str) -> None:
    """Raise MsdepthError unless the modules that only training and export need are installed."""
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise MsdepthError(
            f'this command needs {", ".join(missing)}, which a robot does not: '
            "pip install 'msdepth_ros[train]', from a checkout `pip install .[train]`"
        )
