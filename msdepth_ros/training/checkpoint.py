# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: files that are replaced as a whole, so that an interrupted write loses nothing."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from msdepth_ros.errors import MsdepthError


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint under a temporary name, then rename it.

    Parameters
    ----------
    path : of the checkpoint.
    content : tensors, numbers, strings, and dicts and lists of them.

    Raises
    ------
    MsdepthError
        If the disk is full or not writable; an earlier checkpoint is kept.
    """
    temporary = path.with_name(path.name + '.partial')
    try:
        with temporary.open('wb') as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, RuntimeError) as error:
        # torch's own error names a position in the file; the cause is its context.
        cause = error.__context__ if isinstance(error.__context__, OSError) else error
        kept = 'the one before it is unharmed' if path.exists() else 'there is none before it'
        raise MsdepthError(
            f'cannot write the checkpoint {path}: {cause}; {kept}. Free some space, then continue '
            'with --resume'
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint; code in it is not run.

    Raises
    ------
    MsdepthError
        If it is missing or damaged, or has other objects than tensors and plain values.
    """
    if not path.is_file():
        raise MsdepthError(f'there is no checkpoint {path}: train first')
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # a damaged file raises exceptions of any type
        reason = (str(error) or repr(error)).splitlines()[0]
        raise MsdepthError(f'{path} is not a readable checkpoint: {reason}') from error
    if not isinstance(content, dict) or 'weights' not in content:
        raise MsdepthError(f'{path} is no checkpoint of msdepth train')
    return content


def load_weights(network: nn.Module, weights: dict[str, Any], path: Path) -> None:
    """Load the weights of the checkpoint `path` into a network.

    Raises
    ------
    MsdepthError
        If they are of another network.
    """
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise MsdepthError(
            f'{path} holds the weights of another network ({reason}): use it with the version of '
            'msdepth_ros that trained it'
        ) from error


def mean_weights(weights: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Return the mean of several networks' weights; integers are those of the first."""
    first = weights[0]
    return {
        name: torch.stack([each[name].double() for each in weights]).mean(0).to(value.dtype)
        if value.is_floating_point()
        else value
        for name, value in first.items()
    }


def metadata_of_checkpoint(path: Path) -> dict[str, Any]:
    """Return the metadata of a checkpoint: plain values, without weights.

    Raises
    ------
    MsdepthError
        If the checkpoint is missing or damaged.
    """
    saved = load_checkpoint(path)
    kept = ('config', 'stage', 'step', 'teachers', 'started_from', 'correction')
    return {'file': path.name, **{key: saved[key] for key in kept if key in saved}}
