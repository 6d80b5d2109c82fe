# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Calibration files of all tools as one Camera."""

from msdepth_ros.calibration.reading import (
    camera_from_url,
    log_doubts,
    read_camera,
    read_document,
)

__all__ = ['camera_from_url', 'log_doubts', 'read_camera', 'read_document']
