# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every export route, adopted by its name and served by the node: metres at every pixel."""

import numpy as np
import pytest
from camera_messages import camera_info, depth_of, uniform

pytest.importorskip('onnx')

from export_stubs import SKY_ROWS, STUBS, depth_at, write_stub

from msdepth_ros.adopt.presets import PRESETS
from msdepth_ros.cli import main
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.inference.fit import fit_window
from msdepth_ros.inference.model import load_model

WIDTH, HEIGHT = 320, 240
FX, FY = 280.0, 290.0
RED = 153
METRIC = [preset.name for preset in PRESETS if preset.recipe.metric.kind in ('metres', 'focal')]
MULTIPLES_OF_32 = ('glpn', 'zoe', 'zoe-hub')

pytestmark = pytest.mark.slow  # a minute in all


@pytest.fixture(scope='module')
def home(tmp_path_factory):
    """Keep adopted models in a folder of the tests' own."""
    folder = tmp_path_factory.mktemp('share')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('XDG_DATA_HOME', str(folder))
        yield folder


@pytest.fixture(scope='module')
def client(graph, home):
    with graph.depth_node({'model': 'msdepth', 'threads': 1}) as (_, client):
        client.collect('depth/image_rect')
        yield client


def info():
    message = camera_info(WIDTH, HEIGHT, FX, (161.0, 117.5))
    message.k[4] = message.p[5] = FY
    return message


@pytest.mark.parametrize('name', METRIC)
def test_metres_from_the_node(name, client, home):
    stub = STUBS[name]
    size = '128x96' if name in MULTIPLES_OF_32 else '168x112'
    options = ['--size', size] if stub.size is None else []
    path = write_stub(home / f'{name}.onnx', stub)
    assert main(['adopt', str(path), '--preset', name, *options]) == 0
    result = client.set('model', name)
    assert result.successful, result.reason
    client.diagnostics(lambda values: values['model'] == name)
    depth = depth_of(client.ask(uniform((RED, 9, 60), WIDTH, HEIGHT), info()).depth)

    model = load_model(name)
    camera = Camera.pinhole(WIDTH, HEIGHT, FX, FY, 161.0, 117.5).raw_intrinsics()
    window = fit_window(model.fit, (WIDTH, HEIGHT), model.input_size)
    network = window.network_grid(model.input_size)
    u, v = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    x, y = (u - network.origin[0]) / network.step[0], (v - network.origin[1]) / network.step[1]
    seen = camera.sampled(network)
    focal = {'mean': (seen.fx + seen.fy) / 2, 'fx': seen.fx}.get(model.focal_from, seen.focal)
    expected = stub.metres(depth_at(x, y, RED / 255), focal)
    low, high = model.depth_range
    inner = (x > 1) & (y > 1) & (x < network.width - 2) & (y < network.height - 2)
    inner &= (expected > 1.01 * low) & (expected < 0.99 * high)
    if any(output.name == 'sky' for output in stub.outputs):
        assert np.isnan(depth[inner & (y < SKY_ROWS - 1)]).all()
        inner &= y > SKY_ROWS + 1
    assert inner.mean() > 0.5
    np.testing.assert_allclose(depth[inner], expected[inner], rtol=5e-3)
