# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the tests of `msdepth evaluate` share."""

import pytest
from known_model import write_model


@pytest.fixture
def model(tmp_path):
    """A model that predicts 2 m everywhere at a focal length of 130 px of 160, grid 16x12."""
    return write_model(tmp_path, offset=2.0)
