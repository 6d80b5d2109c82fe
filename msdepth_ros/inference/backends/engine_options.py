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
"""Called as progress(stage, fraction) while an engine is built, from threads of its own.

`fraction` grows from 0 to 1. An exception raised by it stops the build and is raised again there.
"""


def default_cache_dir() -> Path:
    """Return the folder for engines: $XDG_CACHE_HOME/msdepth_ros/engines, else below ~/.cache.

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
            'there is no folder for engines, as this user has no home folder: set HOME, or name a '
            'folder (parameter `engine_cache_dir`, option --cache-dir)'
        ) from error
    return cache / 'msdepth_ros' / 'engines'


@dataclass(frozen=True)
class EngineOptions:
    """What the user may choose about TensorRT engines.

    Attributes
    ----------
    cache_dir : folder that keeps built engines; None = default_cache_dir().
    force_update : build again even where the cache holds a good engine.
    workspace : bytes of GPU memory that one layer may use as scratch while it runs.
    cuda_graph : replay each frame's work as one CUDA graph where that is possible.
    must_keep : fail where the folder does not take an engine, before it is built.
    """

    cache_dir: Path | None = None
    force_update: bool = False
    workspace: int = 1 << 30
    cuda_graph: bool = True
    must_keep: bool = False
