# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth build-engine`: build TensorRT engines before the first start, or for other GPUs."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from msdepth_ros.errors import BackendError, MsdepthError
from msdepth_ros.inference.backends.tensorrt.engine_options import (
    ENGINE_PRECISIONS,
    EngineOptions,
    Progress,
)
from msdepth_ros.inference.model import DEFAULT_MODEL, Model
from msdepth_ros.resources import user_path

LARGEST_WORKSPACE = 1 << 20  # MB

HELP = 'build the TensorRT engine of a model, for this GPU or (TensorRT for RTX) for others'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        '--model', default=DEFAULT_MODEL, help='name of a model, or path of its YAML (%(default)s)'
    )
    parser.add_argument(
        '--precision', choices=ENGINE_PRECISIONS, default='fp16', help='(%(default)s)'
    )
    parser.add_argument(
        '--target',
        nargs='+',
        metavar='SM',
        default=[],
        help='compute capabilities such as sm86 sm89, one engine for each; needs TensorRT for RTX, '
        "but no GPU (default: this machine's GPU)",
    )
    parser.add_argument(
        '--cache-dir',
        type=user_path,
        metavar='DIR',
        help='folder for engines, as the parameter engine_cache_dir (default: that of the node)',
    )
    parser.add_argument(
        '--out', type=Path, metavar='FILE', help='write the engine to this file, for other programs'
    )
    parser.add_argument(
        '--workspace',
        type=int,
        metavar='MB',
        help=f'workspace memory of a layer ({EngineOptions.workspace >> 20})',
    )
    parser.add_argument(
        '--force', action='store_true', help='build even if the engine is in the cache'
    )


def run(args: argparse.Namespace) -> int:
    """Build, print what was built, and return the exit code."""
    from msdepth_ros.inference.backends.tensorrt.build_progress import run_interruptibly
    from msdepth_ros.inference.model import load_model

    if args.workspace is not None and not 1 <= args.workspace <= LARGEST_WORKSPACE:
        raise BackendError(
            f'--workspace is {args.workspace} MB: give at least 1 and at most {LARGEST_WORKSPACE}'
        )
    if args.out is not None and len(args.target) > 1:
        raise BackendError('--out is one file: give only one --target with it')
    model = load_model(args.model)
    failed = []
    for target in args.target or [None]:
        what = f'{model.name} {args.precision}' + (f' {target}' if target else '')
        try:
            with _bar(what) as report:
                facts, place = run_interruptibly(partial(_build, args, model, target), report)
        except MsdepthError as error:
            if len(args.target) < 2:
                raise
            failed.append(target)
            print(f'{what}: {error}', file=sys.stderr)
        else:
            print(f'{what}: {_describe(facts)}; {place}{_workspace_hint(args, facts, place)}')
    if failed:
        raise BackendError(f'not built: {", ".join(failed)}')
    return 0


def _build(
    args: argparse.Namespace, model: Model, target: str | None, progress: Progress
) -> tuple[dict[str, Any], str]:
    """Return the facts about the engine, and its place."""
    from msdepth_ros.inference.backends.tensorrt.cuda_errors import TensorRtMissingError
    from msdepth_ros.inference.backends.tensorrt.engine_ahead import (
        build_into_cache,
        build_into_file,
    )

    options = _options(args)
    try:
        if args.out is not None:
            facts = build_into_file(args.out, model, args.precision, target, options, progress)
            return facts, f'{args.out}, for other programs than the node; not checked on a GPU'
        if target is not None:
            return build_into_cache(model, args.precision, target, options, progress)
        return _build_here(args, model, options, progress)
    except TensorRtMissingError as error:
        raise BackendError(error.need) from error


def _build_here(
    args: argparse.Namespace, model: Model, options: EngineOptions, progress: Progress
) -> tuple[dict[str, Any], str]:
    """Build for this machine's GPU; return the facts about the engine, and its place."""
    from msdepth_ros.inference.backends.tensorrt.api import check_installed
    from msdepth_ros.inference.backends.tensorrt.backend import TensorRtBackend
    from msdepth_ros.inference.backends.tensorrt.cuda import CudaDevice
    from msdepth_ros.inference.backends.tensorrt.cuda_errors import TensorRtMissingError

    check_installed()
    try:
        CudaDevice().close()
    except BackendError as error:
        reason = error.need if isinstance(error, TensorRtMissingError) else error
        raise BackendError(
            f'{reason}. Without a GPU, name one to build for with --target (TensorRT for RTX)'
        ) from error
    # If FP16 is rejected here, the node will need the FP32 engine: build that too.
    precision = 'auto' if args.precision == 'fp16' else args.precision
    backend = TensorRtBackend(model, precision, options, progress)
    try:
        facts = backend.details
    finally:
        backend.close()
    return facts, facts['kept'] if facts['origin'] == 'built now' else facts['origin']


def _describe(facts: dict[str, Any]) -> str:
    text = f'{facts["plan_bytes"] / 1e6:.1f} MB in {facts["seconds"]:.1f} s'
    text += f', {facts["fp16_products"]} of {facts["products"]} products in FP16'
    if facts['fp16_by']:
        text += f' (shown by {" and ".join(facts["fp16_by"])})'
    if 'fp16_refused' in facts:
        text += f' (FP16 is refused: {facts["fp16_refused"]})'
    check = facts.get('self_check')
    if check is not None:
        text += f', {check["mean_error"]:.3%} mean error against FP32'
    return text


def _workspace_hint(args: argparse.Namespace, facts: dict[str, Any], place: str) -> str:
    """Return a remark if the engine in the cache was built with another workspace."""
    built_with = facts['workspace'] >> 20
    if args.workspace in (None, built_with) or not place.startswith('cache: '):
        return ''
    return f' (built with --workspace {built_with}: --force builds it anew)'


def _options(args: argparse.Namespace) -> EngineOptions:
    options = EngineOptions(cache_dir=args.cache_dir, force_update=args.force, must_keep=True)
    if args.workspace is None:
        return options
    return replace(options, workspace=args.workspace << 20)


@contextmanager
def _bar(what: str) -> Iterator[Progress]:
    """Show a progress bar; yield the function that moves it."""
    from tqdm import tqdm

    form = '{desc}: {percentage:3.0f}%|{bar:30}|{postfix}'
    with tqdm(total=100, desc=what, bar_format=form, delay=0.3, leave=False) as bar:

        def report(stage: str, fraction: float) -> None:
            bar.set_postfix_str(stage, refresh=False)
            bar.update(100 * fraction - bar.n)

        yield report
