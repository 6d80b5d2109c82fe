# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The shipped network, by its name, on a real photograph or a frame of the shipped clip."""

import itertools

import cv2
import numpy as np
import pytest
from camera_messages import camera_info, depth_of, image, points_of

from msdepth_ros.images.sources import DEFAULT_CLIP, ImageSource
from msdepth_ros.inference.model import model_names


@pytest.fixture(scope='module')
def pictures(request):
    """Return frames of the shipped clip, or else of a robot's walk."""
    source = DEFAULT_CLIP
    if not source.is_file():
        source = request.getfixturevalue('shared_data') / 'robot_walk'
    every = itertools.islice(ImageSource(source), 20, 60, 20)
    return [cv2.resize(picture.image, (640, 480)) for picture in every]


@pytest.mark.parametrize('name', ['eigen2014', 'msdepth'])
def test_a_shipped_model_gives_plausible_depth(graph, pictures, name):
    if name not in model_names():
        pytest.skip(f'{name} is not in engines/')
    with graph.depth_node({'model': name}) as (process, client):
        client.collect('depth/image_rect', 'depth/camera_info', 'points')
        depths = []
        for picture in pictures:
            answer = client.ask(image(picture, 'bgr8'), camera_info(focal=615.0))
            depth = depth_of(answer.depth)
            valid = np.isfinite(depth)
            assert valid.mean() > 0.5
            assert depth[valid].min() > 0.1
            assert depth[valid].max() < 20
            assert depth[valid].std() > 0.05, 'the network sees no difference'
            z = points_of(answer.points)['z']
            assert np.isfinite(z).mean() > 0.5
            depths.append(depth)
        assert not np.array_equal(depths[0], depths[1], equal_nan=True)
        assert f'model {name} on ' in process.output
