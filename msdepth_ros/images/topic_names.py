# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the name of a topic says of its images."""


def says_rectified(level: str) -> bool:
    """Return whether a level of a topic's name has a word for rectified, as image_pipeline's have.

    As image_rect, image_rect_color, image_rect_raw, rectified; not as image_direct.
    """
    return not {'rect', 'rectified'}.isdisjoint(level.split('_'))
