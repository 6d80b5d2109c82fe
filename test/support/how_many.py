# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How many examples hypothesis generates: EXAMPLES of each test (`make fuzz`), else some."""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, settings

EXAMPLES = int(os.environ.get('EXAMPLES', 0))
SHARE = 0.2 if os.environ.get('MSDEPTH_FAST_TESTS') else 1.0  # of what the full suite tries


def examples(number: int) -> Callable[[Any], Any]:
    """Decorate a test: so many examples in CI, always the same ones; EXAMPLES new ones else."""
    return settings(
        max_examples=EXAMPLES or round(SHARE * number),
        derandomize=not EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
    )
