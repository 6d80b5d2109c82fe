# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every export route, adopted by its name and served by the node: metres at every pixel."""

import time

import numpy as np
import pytest
from camera_messages import FRAME, camera_info, depth_of, uniform
from rclpy.qos import qos_profile_sensor_data
from rclpy.time import Time
from sensor_msgs.msg import PointCloud2, PointField

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
CAMERA = Camera.pinhole(WIDTH, HEIGHT, FX, FY, 161.0, 117.5)
METRIC = [preset.name for preset in PRESETS if preset.recipe.metric.kind in ('metres', 'focal')]
RELATIVE = [preset.name for preset in PRESETS if preset.name not in METRIC]
MULTIPLES_OF_32 = ('dpt-hub', 'glpn', 'zoe', 'zoe-hub')

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


def serve(client, home, name):
    """Adopt a stub and let the node take it; return (stub, model)."""
    stub = STUBS[name]
    size = '512x352' if name in MULTIPLES_OF_32 else '504x336'  # depths differ enough there
    options = ['--size', size] if stub.size is None else []
    path = write_stub(home / f'{name}.onnx', stub)
    assert main(['adopt', str(path), '--preset', name, *options]) == 0
    result = client.set('model', name)
    assert result.successful, result.reason
    client.diagnostics(lambda values: values['model'] == name)
    return stub, load_model(name)


def seen_by(model):
    """Return the network pixel (x, y) of each camera pixel, and the network image's intrinsics."""
    window = fit_window(model.fit, (WIDTH, HEIGHT), model.input_size)
    network = window.network_grid(model.input_size)
    u, v = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    x, y = (u - network.origin[0]) / network.step[0], (v - network.origin[1]) / network.step[1]
    return x, y, CAMERA.raw_intrinsics().sampled(network)


def inside(model, stub, x, y):
    """Return which camera pixels the network answers to for sure."""
    width, height = model.input_size
    inner = (x > 1) & (y > 1) & (x < width - 2) & (y < height - 2)
    if any(output.name == 'sky' for output in stub.outputs):
        inner &= y > SKY_ROWS + 1
    return inner


@pytest.mark.parametrize('name', METRIC)
def test_metres_of_the_adopted_model_in_the_node(name, client, home):
    stub, model = serve(client, home, name)
    depth = depth_of(client.ask(uniform((RED, 9, 60), WIDTH, HEIGHT), info()).depth)
    x, y, seen = seen_by(model)
    expected = stub.metres(depth_at(x, y, RED / 255), seen.focal_length(model.focal_from))
    low, high = model.depth_range
    inner = inside(model, stub, x, y) & (expected > 1.01 * low) & (expected < 0.99 * high)
    if any(output.name == 'sky' for output in stub.outputs):
        assert np.isnan(depth[(y > 1) & (y < SKY_ROWS - 1)]).all()
    assert inner.mean() > 0.5
    np.testing.assert_allclose(depth[inner], expected[inner], rtol=5e-3)


@pytest.fixture(scope='module')
def measured_client(graph, home):
    parameters = {'model': 'msdepth', 'threads': 1, 'metric.sources': ['points']}
    with graph.depth_node(parameters) as (_, client):
        client.collect('depth/image_rect')
        yield client


@pytest.mark.parametrize('name', RELATIVE)
def test_metres_by_measurement(name, measured_client, home):
    client = measured_client
    stub, model = serve(client, home, name)
    x, y, _ = seen_by(model)
    relative = depth_at(x, y, RED / 255)
    # 'scale': 1.4 times as far; 'affine': another factor, and a shift of the inverse depth.
    truth = 1.4 * relative if model.metric == 'scale' else 1 / (0.8 / relative + 0.05)
    inner = inside(model, stub, x, y)
    publisher = client.node.create_publisher(
        PointCloud2, 'measured/points', qos_profile_sensor_data
    )
    client.wait_until(publisher.get_subscription_count, 'the node listens to measured/points')
    picture = uniform((RED, 9, 60), WIDTH, HEIGHT)
    nothing = depth_of(client.ask(picture, info()).depth)
    assert np.isnan(nothing).all()

    sent = []

    def answer():
        stamp = client.node.get_clock().now().nanoseconds
        points = cloud_of(truth, inner)
        points.header.stamp = Time(nanoseconds=stamp).to_msg()
        publisher.publish(points)
        time.sleep(0.05)
        sent.append(client.publish(picture, info(), stamp))
        time.sleep(0.1)
        found = client.received['depth/image_rect']
        depths = [depth_of(found[stamp]) for stamp in sent if stamp in found]
        return [depth for depth in depths if not np.isnan(depth).all()]

    depth = client.wait_until(answer, 'depth in metres')[-1]
    client.node.destroy_publisher(publisher)
    error = np.abs(depth[inner] / truth[inner] - 1)
    assert np.nanmedian(error) < 0.02
    assert np.nanquantile(error, 0.95) < 0.05


def cloud_of(truth, inner):
    """Return 80 points of a depth [HEIGHT, WIDTH] as a cloud in the camera's optical frame."""
    v, u = np.nonzero(inner)
    chosen = np.random.default_rng(1).choice(len(u), 80, replace=False)
    u, v = u[chosen], v[chosen]
    z = truth[v, u]
    camera = CAMERA.raw_intrinsics()
    points = np.stack([(u - camera.cx) / camera.fx * z, (v - camera.cy) / camera.fy * z, z], -1)
    message = PointCloud2(height=1, width=len(points), point_step=12, row_step=12 * len(points))
    message.fields = [
        PointField(name=each, offset=4 * place, datatype=PointField.FLOAT32, count=1)
        for place, each in enumerate('xyz')
    ]
    message.data.frombytes(points.astype('<f4').tobytes())
    message.header.frame_id = FRAME
    return message
