# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How many messages are generated: EXAMPLES of each test (`make fuzz`), else some for CI."""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, settings

EXAMPLES = int(os.environ.get('EXAMPLES', 0))


def examples(number: int) -> Callable[[Any], Any]:
    """Decorate a test: so many examples in CI, always the same ones; EXAMPLES new ones else."""
    return settings(
        max_examples=EXAMPLES or number,
        derandomize=not EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
    )
