# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How TensorRT engines are built and kept."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from msdepth_ros.errors import BackendError

ENGINE_PRECISIONS = ('fp16', 'fp32')

Progress = Callable[[str, float], None]
"""Called as progress(stage, fraction) while an engine is built, from other threads.

`fraction` grows from 0 to 1. An exception from it stops the build, and the build raises it again.
"""


def default_cache_dir() -> Path:
    """Return the folder for engines: msdepth_ros/engines in $XDG_CACHE_HOME, else in ~/.cache.

    Raises
    ------
    BackendError
        If this user has no home folder.
    """
    base = os.environ.get('XDG_CACHE_HOME', '')
    try:
        cache = Path(base) if Path(base).is_absolute() else Path('~/.cache').expanduser()
    except RuntimeError as error:
        raise BackendError(
            'there is no folder for engines, as this user has no home folder: set HOME, or give a '
            'folder (parameter `engine_cache_dir`, option --cache-dir)'
        ) from error
    return cache / 'msdepth_ros' / 'engines'


@dataclass(frozen=True)
class EngineOptions:
    """The user's options for TensorRT engines.

    What changes the result of an engine belongs into EngineKey, too, or the cache gives an old one.

    Attributes
    ----------
    cache_dir : folder that keeps built engines; None: default_cache_dir().
    force_update : build again even if the cache has a good engine.
    workspace : bytes of temporary GPU memory for one layer.
    cuda_graph : launch each frame's work as one CUDA graph, if possible.
    must_keep : fail before the build if the engine could not be kept in the folder.
    """

    cache_dir: Path | None = None
    force_update: bool = False
    workspace: int = 1 << 30
    cuda_graph: bool = True
    must_keep: bool = False
