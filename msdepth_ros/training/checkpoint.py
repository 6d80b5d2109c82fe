# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints that are either the old one or the new one, never half of either."""

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
    content : tensors, numbers, texts, and dicts and lists of them.

    Raises
    ------
    MsdepthError
        If the disk is full or not writable; a checkpoint already there survives.
    """
    temporary = path.with_name(path.name + '.partial')
    try:
        with temporary.open('wb') as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, RuntimeError) as error:
        # torch tells of a position; what stopped it is behind that
        cause = error.__context__ if isinstance(error.__context__, OSError) else error
        kept = 'the one before it is unharmed' if path.exists() else 'there is none before it'
        raise MsdepthError(
            f'cannot write the checkpoint {path}: {cause}; {kept}. Free some space, then continue '
            'with --resume'
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint; no code in it is run.

    Raises
    ------
    MsdepthError
        If it is missing or damaged, or holds more than plain values.
    """
    if not path.is_file():
        raise MsdepthError(f'there is no checkpoint {path}: train first')
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # a damaged file can raise anything in the unpickler
        reason = (str(error) or repr(error)).splitlines()[0]
        raise MsdepthError(f'{path} is not a readable checkpoint: {reason}') from error
    if not isinstance(content, dict) or 'weights' not in content:
        raise MsdepthError(f'{path} is no checkpoint of msdepth train')
    return content


def load_weights(network: nn.Module, weights: dict[str, Any], path: Path) -> None:
    """Give a network the weights that the checkpoint `path` holds.

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
    """Return the mean of several networks' weights; counters are the first one's."""
    first = weights[0]
    return {
        name: torch.stack([each[name].double() for each in weights]).mean(0).to(value.dtype)
        if value.is_floating_point()
        else value
        for name, value in first.items()
    }


def metadata_of_checkpoint(path: Path) -> dict[str, Any]:
    """Return what a checkpoint says of its training, without weights: plain values.

    Raises
    ------
    MsdepthError
        If the checkpoint is missing or damaged.
    """
    saved = load_checkpoint(path)
    kept = ('config', 'stage', 'step', 'teachers', 'started_from', 'correction')
    return {'file': path.name, **{key: saved[key] for key in kept if key in saved}}
