# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A model whose time does not count."""

import pytest
from oracle import write_color_model


@pytest.fixture(scope='session')
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the path of a model of 32x24 pixels in and 8x6 cells out."""
    return str(
        write_color_model(
            tmp_path_factory.mktemp('tiny_model'),
            input_size=(32, 24), output_size=(8, 6), origin=(1.5, 1.5), step=(4.0, 4.0),
        )
    )  # fmt: skip
