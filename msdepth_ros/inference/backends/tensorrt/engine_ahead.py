# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Builds engines ahead of time, also for other GPUs and on machines without one."""

import json
from pathlib import Path
from typing import Any

from msdepth_ros.errors import BackendError
from msdepth_ros.host.own_files import write_atomically
from msdepth_ros.inference.backends.tensorrt.api import import_tensorrt
from msdepth_ros.inference.backends.tensorrt.backend import engine_key
from msdepth_ros.inference.backends.tensorrt.engine_builder import build_engine
from msdepth_ros.inference.backends.tensorrt.engine_cache import EngineCache
from msdepth_ros.inference.backends.tensorrt.engine_options import EngineOptions, Progress
from msdepth_ros.inference.model import Model


def build_into_cache(
    model: Model,
    precision: str,
    target: str,
    options: EngineOptions,
    progress: Progress | None = None,
) -> tuple[dict[str, Any], str]:
    """Build the engine for a compute capability such as 'sm89' into the cache of the node.

    What needs the GPU, above all the self-check, is done at the node's first start.

    Returns
    -------
    Facts about the engine, see `engine_cache.FACTS`, and where it is.

    Raises
    ------
    ModelError
        If the model cannot be used.
    BackendError
        If TensorRT for RTX is not installed or fails, or the folder cannot be written.
    """
    api = import_tensorrt()
    api.check_target(target)
    key = engine_key(api, model, precision, target, '')
    cache = EngineCache(options.cache_dir)
    path = cache.path(key)
    cached = None if options.force_update else cache.load(key)
    if cached is None:
        cache.check_takes(model.name)
        with cache.lock(key, progress) as another_built:
            if another_built and not options.force_update:
                cached = cache.load(key)
            if cached is None:
                built = build_engine(
                    api, model, precision, target, options.workspace, progress=progress
                )
                cache.store(key, built.plan, built.facts)
                return built.facts, str(path)
    return cached.facts, f'cache: {path}'


def build_into_file(
    path: Path,
    model: Model,
    precision: str,
    target: str | None,
    options: EngineOptions,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write a plan to a file, and facts about it to FILE.json.

    Parameters
    ----------
    target : compute capability such as 'sm89'; None: the GPU of this machine, or without one
        TensorRT for RTX's default targets.

    Returns
    -------
    Facts about the engine, see `engine_cache.FACTS`.

    Raises
    ------
    ModelError
        If the model cannot be used.
    BackendError
        If TensorRT is not installed or fails, the plan is not FP16 as asked for, or the file cannot
        be written.
    """
    api = import_tensorrt()
    if not path.parent.is_dir():
        raise BackendError(f'there is no folder {path.parent}: create it first')
    if path.is_dir():
        raise BackendError(f'{path} is a folder: name a file in it')
    built = build_engine(api, model, precision, target, options.workspace, progress=progress)
    if precision == 'fp16' and not built.facts['fp16_by']:
        raise BackendError(
            f'{api.title} built a plan of {len(built.plan) / 1e6:.1f} MB, which is too large to be '
            'FP16: build it with --precision fp32'
        )
    facts = {'runtime': api.flavour, 'version': api.version, 'target': target, **built.facts}
    try:
        write_atomically(path, built.plan)
        write_atomically(
            path.with_name(f'{path.name}.json'), (json.dumps(facts, indent=2) + '\n').encode()
        )
    except OSError as error:
        raise BackendError(f'cannot write {path}: {error.strerror}') from error
    return facts
