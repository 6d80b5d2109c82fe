# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every export route through `msdepth adopt`: its depth is known at every pixel."""

from pathlib import Path

import cv2
import numpy as np
import pytest

onnx = pytest.importorskip('onnx')

import onnxruntime  # noqa: E402
from export_stubs import SKY_ROWS, STUBS, depth_at, write_stub  # noqa: E402

from msdepth_ros.adopt.presets import NAMES, preset_named  # noqa: E402
from msdepth_ros.adopt.size import parse_size  # noqa: E402
from msdepth_ros.cli import main  # noqa: E402
from msdepth_ros.geometry.camera import Camera  # noqa: E402
from msdepth_ros.inference.fit import fit_window  # noqa: E402
from msdepth_ros.inference.input_map import InputMap  # noqa: E402
from msdepth_ros.inference.model import load_model  # noqa: E402

CAMERA = Camera.pinhole(320, 240, 250.0, 260.0, 160.5, 118.0)
RED = 102  # of 255, in all of the image


@pytest.fixture
def camera_file(tmp_path: Path) -> str:
    (tmp_path / 'camera.yaml').write_text(CAMERA.to_yaml())
    return str(tmp_path / 'camera.yaml')


def small(name: str) -> list[str]:
    """Return options that keep a stub of free size small."""
    return ['--size', '112x84' if name not in ('dpt-hub', 'glpn', 'zoe', 'zoe-hub') else '128x96']


def adopt(stub: Path, name: str, camera: str, *more: str) -> int:
    size = small(name) if STUBS[name].size is None else []
    out = ['--out', str(stub.parent / 'adopted')]
    return main(['adopt', str(stub), '--preset', name, '--camera', camera, *size, *out, *more])


def test_every_preset_has_a_stub():
    assert set(STUBS) == set(NAMES)


@pytest.mark.parametrize('name', NAMES)
def test_metres_of_each_route(name: str, tmp_path: Path, camera_file: str):
    stub = STUBS[name]
    file = write_stub(tmp_path / 'file.onnx', stub)
    assert adopt(file, name, camera_file, '--license', 'MIT-0') == 0
    model = load_model(tmp_path / 'adopted' / 'adopted.yaml')
    graph = onnx.load(model.onnx).graph
    image, *further = graph.input
    assert [each.name for each in further] == (
        ['intrinsics'] if 'intrinsics' in model.inputs else []
    )
    assert image.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    width, height = model.input_size
    assert [d.dim_value for d in image.type.tensor_type.shape.dim] == [1, height, width, 3]
    assert (width, height) == (stub.size or parse_size(small(name)[1]))
    session = onnxruntime.InferenceSession(model.onnx, providers=['CPUExecutionProvider'])
    view = InputMap(model, (320, 240), CAMERA)
    pixels = np.zeros((height, width, 3), np.uint8)
    photo = np.empty((240, 320, 3), np.uint8)
    photo[:] = (RED, 17, 230)
    view.apply(photo, 'rgb8', pixels)
    feed = {'image': pixels[None]}
    if further:
        feed['intrinsics'] = view.network_intrinsics.matrix()[None].astype(np.float32)
    (answer, *_) = session.run(['depth'], feed)
    assert answer.shape == (1, 1, *reversed(model.output_size))
    assert answer.dtype == np.float32
    answer = answer[0, 0]
    metres = 1 / answer if model.quantity == 'inverse_depth' else answer
    if model.focal:
        metres = metres * view.network_intrinsics.focal_length(model.focal_from) / model.focal
    column, row = np.meshgrid(np.arange(width), np.arange(height))
    known = depth_at(column, row, pixels[..., 0] / 255)
    network = fit_window(model.fit, (320, 240), (width, height)).network_grid((width, height))
    seen = CAMERA.raw_intrinsics().sampled(network)
    focal = {'fx': seen.fx, 'mean': (seen.fx + seen.fy) / 2}.get(
        model.focal_from, np.sqrt(seen.fx * seen.fy)
    )
    expected = stub.metres(known, focal)
    half = stub.kind == onnx.TensorProto.FLOAT16
    if any(output.name == 'sky' for output in stub.outputs):
        assert np.isnan(metres[:SKY_ROWS]).all()
        metres, expected = metres[SKY_ROWS:], expected[SKY_ROWS:]
    np.testing.assert_allclose(metres, expected, rtol=4e-3 if half else 1e-4)
    document, preset = model.document, preset_named(name)
    kind = preset.recipe.metric.kind
    assert document.get('metric') == (kind if kind in ('scale', 'affine') else None)
    assert document['license'] == 'MIT-0'
    assert document['adopted']['preset'] == name
    picture = cv2.imread(str(tmp_path / 'adopted' / 'check.png'))
    assert picture.std() > 10
