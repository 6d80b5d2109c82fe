# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Work for subscribers only, the newest image only, and a word about images lost on the way."""

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from camera_messages import camera_info, uniform
from steady_camera import SLOW_NETWORK, SteadyCamera

from msdepth_ros.benchmark.usage import memory

LOST = 'of the images are lost'


def _count(values, fate):
    return int(values.get(f'frames {fate}', 0))


def test_nothing_is_received_or_computed_while_nobody_subscribes(graph, color_model):
    """But for the first image, which shows that the camera is there."""
    nobody = 'no output has a subscriber: no images are received'
    with (
        graph.depth_node({'model': color_model}) as (_, client),
        SteadyCamera(client, 30) as camera,
    ):
        values = client.diagnostics(lambda values: values['message'] == nobody)
        assert values['level'] == 'OK'
        client.wait_until(lambda: not client.images.get_subscription_count(), 'the node leaves')
        count = len(camera.sent)
        client.wait_until(lambda: len(camera.sent) >= count + 60, '60 images are sent')
        after = client.diagnostics()
        assert _count(after, 'received') == _count(values, 'received') > 0
        assert _count(after, 'published') == 0
        assert 'infer (ms)' not in after
        client.collect('points')
        values = client.diagnostics(lambda values: _count(values, 'published') > 0)
        assert float(values['infer (ms)'].split(' / ')[0]) > 0
        assert values['level'] == 'OK'
        assert values['model'] == 'oracle'
        assert values['backend'] == 'onnxruntime'
        client.leave('points')
        client.wait_until(lambda: not client.images.get_subscription_count(), 'the node leaves')
        client.collect('depth/image_rect')
        client.wait_until(lambda: client.received['depth/image_rect'], 'depth again')


def test_no_images_are_received_for_a_disabled_topic(graph, color_model):
    with graph.depth_node({'model': color_model, 'points.enabled': False}) as (_, client):
        client.collect('points')

        def left():
            client.publish(uniform(), camera_info())
            return not client.images.get_subscription_count()

        client.wait_until(left, 'the node leaves')
        assert client.set('points.enabled', True).successful
        client.ask(uniform(), camera_info())


def _none_at_work(values):
    answered = _count(values, 'published') + _count(values, 'replaced by a newer image')
    return answered == _count(values, 'received') > 0


@pytest.fixture(scope='module')
def slow_run(graph, color_model):
    """Four seconds of a 60 Hz camera before a network that is twelve times slower."""
    with graph.depth_node({'model': color_model}, preamble=SLOW_NETWORK) as (process, client):
        client.collect('depth/image_rect')
        client.ask(uniform(), camera_info())
        first = client.diagnostics(_none_at_work)
        client.received['depth/image_rect'].clear()
        with SteadyCamera(client) as camera:
            client.wait_until(lambda: len(camera.sent) >= 120, '120 images are sent')
            before = memory(process.pid)
            client.wait_until(lambda: len(camera.sent) >= 240, '240 images are sent')
            grown = memory(process.pid) - before
        last = camera.sent[-1]
        published = client.received['depth/image_rect']
        client.wait_until(lambda: last in published, 'the last image is answered')
        yield client, camera.sent, first, client.diagnostics(_none_at_work), grown


def test_the_newest_image_wins(slow_run):
    client, sent, *_ = slow_run
    answered = [stamp for stamp in client.received['depth/image_rect'] if stamp >= sent[0]]
    assert answered == sorted(answered)
    assert set(answered) <= set(sent)
    assert 1 < len(answered) < len(sent)


def test_images_do_not_queue(slow_run):
    """After the last image at most those are answered that were at work or waited just then."""
    client, sent, *_ = slow_run
    arrival = client.arrival['depth/image_rect']
    late = [stamp for stamp, at in arrival.items() if stamp >= sent[0] and at > sent[-1]]
    assert 1 <= len(late) <= 6  # two of them on their way, in DDS


def test_two_images_at_once_can_both_be_answered(graph, color_model):
    """A delayed camera driver may send two at once; the subscription keeps two."""
    with graph.depth_node({'model': color_model}) as (_, client):
        client.collect('depth/image_rect')
        client.ask(uniform(), camera_info())
        # On a busy machine the second one may arrive before the first is taken, and replaces it.
        for _ in range(30):
            stamps = {client.publish(uniform(), camera_info()) for _ in range(2)}
            client.ask(uniform(), camera_info())
            if stamps <= set(client.received['depth/image_rect']):
                return
    raise AssertionError('one of the two was always lost')


# Each frame's publication waits until the network has begun with the next one, but not for ever.
HELD_OUTPUTS = """
import time
from msdepth_ros.inference.estimator import DepthEstimator
from msdepth_ros.node.outputs import DepthOutputs
estimate, publish = DepthEstimator.estimate, DepthOutputs.publish
begun = 0
def numbered(*arguments):
    global begun
    begun += 1
    number = begun
    time.sleep(0.05)
    frame = estimate(*arguments)
    frame.number = number
    return frame
def held(outputs, frame, *arguments):
    end = time.monotonic() + 3
    while begun <= frame.number and time.monotonic() < end:
        time.sleep(0.001)
    print('together' if begun > frame.number else 'alone', flush=True)
    publish(outputs, frame, *arguments)
DepthEstimator.estimate, DepthOutputs.publish = numbered, held
"""


def test_a_frame_is_published_while_the_network_works_on_the_next(graph, color_model):
    with graph.depth_node({'model': color_model}, preamble=HELD_OUTPUTS) as (process, client):
        client.collect('depth/image_rect')
        with SteadyCamera(client):
            client.wait_until(lambda: process.output.count('together\n') >= 5, 'five frames')
        published = list(client.received['depth/image_rect'])
    assert published == sorted(published)


def test_memory_does_not_grow(slow_run):
    assert slow_run[4] < 5  # MB; 120 images that are kept would be 110


def test_every_image_is_accounted_for(slow_run):
    _, sent, first, last, _ = slow_run
    counts = {
        fate: _count(last, fate) - _count(first, fate)
        for fate in ('received', 'published', 'replaced by a newer image')
    }
    assert counts['replaced by a newer image'] > 0
    assert counts['published'] + counts['replaced by a newer image'] == counts['received']
    assert counts['received'] <= len(sent)


STUCK = Path(__file__).with_name('stuck_subscriber.py')


@contextlib.contextmanager
def _stuck_subscriber(client):
    """A reliable subscriber that has received something and then stands still."""
    command = [sys.executable, str(STUCK), client.namespace]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            with SteadyCamera(client, 10):
                assert process.stdout.readline() == 'got one\n'
            process.send_signal(signal.SIGSTOP)
            yield
        finally:
            process.kill()


@pytest.mark.slow
def test_a_stuck_subscriber_slows_neither_the_camera_nor_other_subscribers(graph, color_model):
    with graph.depth_node({'model': color_model}) as (_, client):
        client.collect('depth/image_rect', 'points')
        client.ask(uniform(), camera_info())
        with _stuck_subscriber(client), SteadyCamera(client, 30) as camera:
            client.wait_until(lambda: len(camera.sent) >= 120, '120 images are sent')
        last = camera.sent[-1]
        client.wait_until(lambda: last in client.received['points'], 'the last one is answered')
        # A node that waited for the one that stands still would answer none.
        answered = set(client.received['points']) & set(camera.sent)
        assert len(answered) > 10


def _play(client, images, every_lost):
    """Publish camera_infos and all but every n-th image, each after the last answer."""
    image, info = uniform(width=64, height=48), camera_info(64, 48)
    stamp = client.node.get_clock().now().nanoseconds
    for number in range(images):
        stamp += 33_000_000
        if number % every_lost:
            client.answer_to(image, info, stamp)
        else:
            client.publish(None, info, stamp)


@pytest.mark.parametrize(('every', 'told'), [(5, True), (10**6, False)], ids=['20 %', 'none'])
def test_images_lost_in_transport_are_reported_once(graph, color_model, every, told):
    with graph.depth_node({'model': color_model}) as (process, client):
        client.collect('depth/image_rect')
        client.ask(uniform(width=64, height=48), camera_info(64, 48))
        _play(client, 330, every)  # three windows of the monitor
        assert process.output.count(LOST) == told
        if told:
            line = process.wait_for_output(LOST)
            assert f'{client.namespace}/image' in line
            assert '20%' in line or '19%' in line or '21%' in line
            assert 'fastdds.xml' in line
