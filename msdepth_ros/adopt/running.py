# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs graphs on ONNX Runtime during an adoption, and folds their constants."""

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from msdepth_ros.adopt.exported import ExportedNetwork, TensorInfo, import_onnx
from msdepth_ros.adopt.recipe import Normalisation, Recipe
from msdepth_ros.adopt.wrapping import image_shape
from msdepth_ros.errors import ModelError
from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.inference.model import IMAGE, INTRINSICS

LARGEST_FILE = 1_900_000_000  # bytes; the limit of protobuf is 2 GB
_TYPES = {
    'FLOAT': np.float32,
    'FLOAT16': np.float16,
    'DOUBLE': np.float64,
    'UINT8': np.uint8,
    'INT64': np.int64,
    'INT32': np.int32,
}


def run_exported(
    network: ExportedNetwork,
    recipe: Recipe,
    pixels: np.ndarray,
    further: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """Return all outputs of the exported file, by name.

    Parameters
    ----------
    network : the file.
    recipe : how it is used.
    pixels : uint8 [H, W, 3] RGB.
    further : values of further inputs, by name.

    Raises
    ------
    ModelError
        If ONNX Runtime cannot load or run it at this size.
    """
    image = network.image_input(recipe.input)
    height, width = pixels.shape[:2]
    shape, last = image_shape(image, (width, height))
    prepared = normalised(pixels, recipe.normalisation, recipe.channels)
    prepared = prepared if last else prepared.transpose(2, 0, 1)
    feed = {image.name: prepared.reshape(shape).astype(_kind(image))}
    feed |= {name: value.astype(_kind(network.inputs[name])) for name, value in further.items()}
    session = _session(network.path, network.path.name)
    try:
        found = session.run(list(network.outputs), feed)
    except Exception as error:  # its exception types are private to its binding
        raise ModelError(
            f'{network.path.name} does not run at {width}x{height}: '
            f'{" ".join(str(error).split())[:300]}. Try another --size or --multiple'
        ) from error
    return dict(zip(network.outputs, map(np.asarray, found)))


def normalised(pixels: np.ndarray, normalisation: Normalisation, channels: str) -> np.ndarray:
    """Return an image, uint8 [H, W, 3] RGB, as the network's input, float32 of the same shape."""
    mean, std = (np.array(part, np.float32) for part in (normalisation.mean, normalisation.std))
    values: np.ndarray = (pixels.astype(np.float32) - mean) / std
    return values[..., ::-1] if channels == 'bgr' else values


def run_wrapped(path: Path, pixels: np.ndarray, camera: Intrinsics) -> dict[str, np.ndarray]:
    """Return the outputs of a wrapped graph by name, float32 [h, w] each.

    Parameters
    ----------
    path : of its file.
    pixels : uint8 [H, W, 3] RGB.
    camera : of that image.

    Raises
    ------
    ModelError
        If ONNX Runtime cannot load or run it.
    """
    session = _session(path, path.name)
    names = [output.name for output in session.get_outputs()]
    feed = {IMAGE: pixels[None], INTRINSICS: camera.matrix()[None].astype(np.float32)}
    feed = {each.name: feed[each.name] for each in session.get_inputs()}
    try:
        found = session.run(names, feed)
    except Exception as error:  # its exception types are private to its binding
        raise ModelError(
            f'the wrapped graph does not run: {" ".join(str(error).split())}'
        ) from error
    return {name: np.asarray(value)[0, 0] for name, value in zip(names, found)}


def folded(model: Any) -> Any:
    """Return a model with its constant parts computed, if possible.

    Sizes that are computed from the image's size become numbers, and branches on them disappear:
    TensorRT and the FP16 converter do not support branches.
    """
    onnx = import_onnx()
    import onnxruntime as ort

    if model.ByteSize() > LARGEST_FILE:
        return model
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'folded.onnx'
        options.optimized_model_filepath = str(path)
        try:
            ort.InferenceSession(
                model.SerializeToString(), options, providers=['CPUExecutionProvider']
            )
            result = onnx.load(path)
        except Exception:  # its exception types are private to its binding
            return model
    if any(node.domain not in ('', 'ai.onnx') for node in result.graph.node):
        return model
    opsets = [entry for entry in result.opset_import if entry.domain in ('', 'ai.onnx')]
    del result.opset_import[:]
    result.opset_import.extend(opsets)
    return result


def save(model: Any, path: Path) -> list[Path]:
    """Write a model, above 2 GB with its weights in a second file; return the files.

    The first file contains the SHA-256 of the second one, so that its own hash identifies both.
    """
    onnx = import_onnx()
    if model.ByteSize() <= LARGEST_FILE:
        path.write_bytes(model.SerializeToString())
        return [path]
    data = path.with_name(f'{path.name}.data')
    data.unlink(missing_ok=True)
    onnx.save(
        model, path, save_as_external_data=True, all_tensors_to_one_file=True, location=data.name
    )
    with data.open('rb') as file:
        digest = _digest(file)
    graph = onnx.load(path, load_external_data=False)
    onnx.helper.set_model_props(graph, {'weights_sha256': digest})
    path.write_bytes(graph.SerializeToString())
    return [path, data]


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


def _session(path: Path, name: str) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        return ort.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    except Exception as error:  # its exception types are private to its binding
        raise ModelError(
            f'ONNX Runtime cannot load {name}: {" ".join(str(error).split())[:300]}'
        ) from error


def _kind(info: TensorInfo) -> Any:
    if info.kind not in _TYPES:
        raise ModelError(
            f"the input '{info.name}' has the type {info.kind}, which is not supported: export it "
            f'with one of {", ".join(_TYPES)}'
        )
    return _TYPES[info.kind]
