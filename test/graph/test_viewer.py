# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The viewer in a real browser, on a real depth node whose depth is known."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from browser import SIZE, ViewerPage, chromium, share_of
from camera_messages import HEIGHT, WIDTH, camera_info, image, uniform
from steady_camera import SteadyCamera

from msdepth_ros.datasets.folder import DatasetFolder
from msdepth_ros.images.pictures import colorize

pytest.importorskip('viser', reason='the viewer needs viser')
pytestmark = pytest.mark.slow

LEFT, RIGHT = (200, 100, 50), (40, 160, 90)  # RGB of the two halves of the camera's image
NEAR, FAR = 1.5, 1.92  # metres that the colour model answers for them
FOCAL, MOUNT = 600.0, 1.0  # pixels; metres above the floor
TOPIC = 'depth/image_rect'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('viewer')


@pytest.fixture(scope='module')
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope='module')
def node(browser, graph, color_model, folder):
    """Run a depth node before a camera whose image has two halves; return its client."""
    pixels = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    pixels[:, : WIDTH // 2], pixels[:, WIDTH // 2 :] = LEFT, RIGHT
    parameters = {
        'model': color_model,
        'depth.edge_threshold': 0.0,
        'camera_height': MOUNT,
        'scale_file': str(folder / 'scale.yaml'),
    }
    with (
        graph.depth_node(parameters) as (_, client),
        SteadyCamera(client, 10, image(pixels, 'rgb8'), camera_info(focal=FOCAL)),
    ):
        yield client


def viewer_of(graph, client, **parameters):
    """Run a viewer of one node only."""
    nodes = [f'{client.namespace}/msdepth']
    return graph.process('viewer.viewer', {'nodes': nodes, 'port': 8500, **parameters})


def address_of(process):
    return re.search(r'open (http://\S+)', process.wait_for_output('open http'))[1]


@pytest.fixture(scope='module')
def address(graph, node, folder):
    with viewer_of(graph, node, recordings=str(folder / 'recordings')) as process:
        yield address_of(process)
        process.end_cleanly()


@pytest.fixture(scope='module')
def page(browser, address):
    page = ViewerPage(browser, address)
    yield page
    page.close()


def click_on(page, u, v, text):
    """Click on a pixel of the camera image, which a large picture shows in the page's middle."""
    scale = min(SIZE[0] / WIDTH, SIZE[1] / HEIGHT)
    left, top = (SIZE[0] - scale * WIDTH) / 2, (SIZE[1] - scale * HEIGHT) / 2
    page.click_until((left + scale * (u + 0.5), top + scale * (v + 0.5)), text)


def distance_to(u, v, depth):
    """Return how far from the lens a pixel's point is, metres."""
    x, y = (u - (WIDTH - 1) / 2) / FOCAL, (v - (HEIGHT - 1) / 2) / FOCAL
    return depth * math.sqrt(1 + x * x + y * y)


def said_distance(page):
    """Return the distance, and the height, that the page says of the point clicked on."""
    text = page.wait_for_text('from the camera')
    said = page.page.locator('div[role=status]', has_text='from the camera').inner_text()
    assert text in said
    numbers = re.search(r'([\d.]+) m from the camera.*?(-?[\d.]+) m above the floor', said)
    return float(numbers[1]), float(numbers[2])


def test_the_page_shows_the_cloud_in_the_cameras_colours(page):
    page.choose_view('3D')
    page.look_until(
        lambda seen: all(
            share_of(seen[200:, :900], color[::-1], 45) > 0.002 for color in (LEFT, RIGHT)
        ),
        'points of both halves of the image',
    )


def test_the_depth_picture_has_the_colours_of_its_metres(page):
    page.choose_view('depth')
    near, far = colorize(np.array([[NEAR, FAR]], np.float32))[0]

    def both_halves(seen):
        left, right = seen[300:500, 400:600], seen[300:500, 700:900]
        return share_of(left, near) > 0.9 and share_of(right, far) > 0.9

    page.look_until(both_halves, 'depth of both halves of the image')


def test_the_camera_picture_is_the_cameras(page):
    page.choose_view('camera')
    page.look_until(lambda seen: share_of(seen[300:500, 400:600], LEFT[::-1]) > 0.9, 'the image')


@pytest.mark.parametrize(('u', 'v', 'depth'), [(180, 300, NEAR), (400, 120, FAR), (330, 460, FAR)])
def test_a_click_on_an_image_shows_the_distance_to_a_centimetre(page, u, v, depth):
    page.choose_view('depth')
    page.look_until(lambda seen: share_of(seen[380:420, 0:60], (0, 0, 0)) > 0.9, 'the picture')
    expected = distance_to(u, v, depth)
    click_on(page, u, v, f'{expected:.2f} m')
    distance, height = said_distance(page)
    assert distance == pytest.approx(expected, abs=0.01)
    below = depth * (v - (HEIGHT - 1) / 2) / FOCAL
    assert height == pytest.approx(MOUNT - below, abs=0.01)


def test_a_click_in_the_cloud_shows_the_distance_to_a_centimetre(page):
    """The middle of the page looks from (-2, -1.4, 2) to (2.2, 0, 0.7): it meets the far half."""
    page.choose_view('3D')
    page.look_until(lambda seen: share_of(seen[200:, :900], RIGHT[::-1], 45) > 0.002, 'the cloud')
    eye, look_at = np.array([-2.0, -1.4, 2.0]), np.array([2.2, 0.0, 0.7])
    met = eye + (FAR - eye[0]) / (look_at - eye)[0] * (look_at - eye)
    expected = np.linalg.norm(met - (0, 0, MOUNT))
    page.click_until((SIZE[0] / 2, SIZE[1] / 2), f'{expected:.2f} m')
    assert said_distance(page)[0] == pytest.approx(expected, abs=0.01)


def test_a_slider_changes_the_nodes_parameter_and_others_changes_are_shown(page, node):
    page.open_tab('Tune')
    slider = page.page.get_by_role('slider').nth(3)
    assert slider.get_attribute('aria-valuenow') == '0'
    slider.focus()
    for _ in range(5):
        page.page.keyboard.press('ArrowRight')
    node.wait_until(lambda: node.get('depth.edge_threshold') == pytest.approx(0.05), 'it is set')
    assert node.set('depth.edge_threshold', 0.0).successful
    page.page.wait_for_function(
        "document.querySelectorAll('[role=slider]')[3].getAttribute('aria-valuenow') === '0'"
    )


def test_a_menu_changes_the_nodes_parameter(page, node):
    page.open_tab('Tune')
    page.choose('resolution', 'network')
    node.wait_until(lambda: node.get('depth.resolution') == 'network', 'it is set')
    assert node.set('depth.resolution', 'camera').successful


def test_a_value_that_the_node_refuses_is_reported_and_reset(page, node):
    assert node.set('depth.min', 2.0).successful
    try:
        page.open_tab('Tune')
        slider = page.page.get_by_role('slider').nth(1)  # depth.max
        slider.focus()
        page.page.keyboard.press('ArrowRight')
        page.wait_for_text('depth.max was rejected')
        assert node.get('depth.max') == 0.0
    finally:
        node.set('depth.min', 0.0)


def test_the_tape_measure_sets_the_scale_that_it_found_and_keeps_it(page, node, folder):
    page.choose_view('depth')
    factors = []
    for u, depth in ((180, NEAR), (420, FAR)):
        page.look_until(lambda seen: share_of(seen[380:420, 0:60], (0, 0, 0)) > 0.9, 'the picture')
        distance = distance_to(u, 240, depth)
        click_on(page, u, 240, f'{distance:.2f} m')
        page.open_tab('Tape')
        field = page.page.get_by_role('textbox').last
        field.fill(f'{1.2 * distance:.2f}')
        field.press('Enter')
        page.page.get_by_role('button', name='Add the point clicked on').click()
        page.wait_for_text(f'{1.2 * distance:.2f} m')
        factors.append(round(1.2 * distance, 2) / distance)
    fitted = math.sqrt(factors[0] * factors[1])
    said = page.wait_for_text(re.compile(r'depth\.scale \S+ → '))
    # A slow page shows a smaller picture, whose pixels cover several of the camera's.
    assert float(said.split()[-1]) == pytest.approx(fitted, rel=5e-3)
    page.page.get_by_role('button', name='Set depth.scale and keep it').click()
    try:
        page.wait_for_text('is kept in')
        scale = node.get('depth.scale')
        assert scale == pytest.approx(float(said.split()[-1]), abs=6e-4)
        (kept,) = yaml.safe_load((folder / 'scale.yaml').read_text())['scales'].values()
        assert kept['scale'] == pytest.approx(scale)
    finally:
        node.set('depth.scale', 1.0)


def test_the_state_of_the_node_is_shown_in_words(page):
    page.wait_for_text('running')
    page.open_tab('State')
    for text in ('onnxruntime', 'Hz', 'Delay of this page'):
        page.wait_for_text(text)


def test_the_last_seconds_become_a_dataset(page, folder):
    page.open_tab('Record')
    page.page.get_by_role('button', name='Keep the last 10 seconds').click()
    page.wait_for_text('Recorded')
    (recorded,) = (folder / 'recordings').iterdir()
    dataset = DatasetFolder(recorded)
    assert len(dataset) >= 3
    depth = dataset[len(dataset) - 1].depth
    assert depth[240, 100] == pytest.approx(NEAR, abs=0.002)
    assert depth[240, 500] == pytest.approx(FAR, abs=0.002)
    assert dataset.intrinsics.fx == FOCAL


def test_the_page_is_read_on_a_phone_in_the_dark(browser, address):
    page = ViewerPage(browser, address, (390, 844))
    page.page.get_by_role('checkbox', name='dark page').check()
    page.look_until(lambda seen: float(seen[:100].mean()) < 90, 'a dark page')
    assert page.page.evaluate('document.documentElement.scrollWidth') <= 390
    page.close()


def stall(page, seconds):
    """Have a page stand still, as one in a hidden tab or on a phone that sleeps."""
    end = f'Date.now() + {1000 * seconds}'
    page.page.evaluate(f'setTimeout(() => {{ const end = {end}; while (Date.now() < end); }})')


def test_two_pages_and_one_that_stalls(browser, address, node, page):
    """The camera's image stands still, so what changes is the noise that a scale brings in."""
    other = ViewerPage(browser, address)
    other.page.evaluate(
        'setTimeout(() => { const end = Date.now() + 20000; while (Date.now() < end); })'
    )
    for scale in (1.3, 0.7, 1.0):
        before = page.source_of('depth')
        assert node.set('depth.scale', scale).successful
        page.page.wait_for_function(
            '(before) => document.querySelector(\'img[alt="depth picture"]\').src !== before',
            arg=before,
        )
    other.close()


def test_a_closed_page_frees_what_it_had(browser, graph, node):
    """Nothing is subscribed to but while a page is open, and not for one that stands still."""
    with viewer_of(graph, node, port=8600) as process:
        address = address_of(process)
        full = f'{node.namespace}/{TOPIC}'
        before = node.node.count_subscribers(full)
        threads = thread_count(process.pid)
        for _ in range(2):
            page = ViewerPage(browser, address)
            node.wait_until(lambda: node.node.count_subscribers(full) > before, 'subscribed')
            stall(page, 25)
            node.wait_until(lambda: node.node.count_subscribers(full) == before, 'asleep')
            node.wait_until(lambda: node.node.count_subscribers(full) > before, 'awake again')
            page.close()
            node.wait_until(lambda: node.node.count_subscribers(full) == before, 'let go')
        node.wait_until(lambda: thread_count(process.pid) <= threads + POOL, 'threads have ended')
        process.end_cleanly()


POOL = 40  # threads that viser and Fast DDS keep for the next time


def thread_count(pid):
    return int(re.search(r'Threads:\s*(\d+)', Path(f'/proc/{pid}/status').read_text())[1])


def test_a_page_that_may_only_look_sets_nothing(browser, graph, node):
    with viewer_of(graph, node, port=8700, read_only=True) as process:
        page = ViewerPage(browser, address_of(process))
        page.open_tab('Tune')
        slider = page.page.locator('[role=slider]').nth(3)  # a hidden one
        assert slider.get_attribute('aria-disabled') == 'true'
        page.open_tab('Tape')
        assert page.page.get_by_role('button', name='Set depth.scale').is_disabled()
        page.open_tab('Record')
        assert page.page.get_by_role('button', name='Keep the last').is_disabled()
        page.close()


def test_from_the_network_only_the_address_with_its_token_opens_the_page(browser, graph, node):
    with viewer_of(graph, node, port=8800, host='0.0.0.0') as process:
        address = address_of(process)
        port = re.search(r':(\d+)/', address)[1]
        assert 'token' in process.wait_for_output('not encrypted')
        refused = browser.new_context().new_page()
        assert refused.goto(f'http://127.0.0.1:{port}/').status == 403
        refused.close()
        page = ViewerPage(browser, f'http://127.0.0.1:{port}/?{address.partition("?")[2]}')
        page.close()


def test_two_cameras_are_on_one_page(browser, graph, node, color_model):
    """The second one sees grey, and looks to the left from (0, 2, 1)."""
    parameters = {'model': color_model, 'camera_pose': '0 2 1 0 0 1.5708'}
    grey = uniform((90, 90, 90))
    with (
        graph.depth_node(parameters) as (_, second),
        SteadyCamera(second, 5, grey, camera_info(focal=FOCAL)),
        graph.process('viewer.viewer', {'port': 8900}) as process,
    ):
        page = ViewerPage(browser, address_of(process))
        title = second.namespace.strip('/')
        page.choose('shown camera', title)
        page.choose_view('camera')
        page.look_until(lambda seen: share_of(seen[300:500, 400:600], (90, 90, 90)) > 0.9, 'grey')
        depth = 0.5 + (0.001 + 0.003 + 0.01) * 90
        click_on(page, 200, 150, f'{distance_to(200, 150, depth):.2f} m')
        assert title in page.page.locator('div[role=status]', has_text='from the').inner_text()
        page.close()
