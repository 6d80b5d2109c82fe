# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the name of a camera's coordinate frame says about its axes (REP-103)."""

_BODY_ENDINGS = ('_link', '_frame')


def names_body_frame(frame_id: str) -> bool:
    """Return whether a frame_id is named like a body frame, x forward: camera_link."""
    name = frame_id.rpartition('/')[2]
    return name.endswith(_BODY_ENDINGS) and 'optical' not in name


def optical_frame_of(frame_id: str) -> str:
    """Return the name of the optical frame that belongs to a body frame."""
    for ending in _BODY_ENDINGS:
        if frame_id.endswith(ending):
            return f'{frame_id.removesuffix(ending)}_optical{ending}'
    return f'{frame_id}_optical_frame'
