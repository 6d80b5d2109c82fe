# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tables of the results of drives."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from msdepth_ros.drive.loop import Drive


def summary(drives: Sequence[Drive]) -> dict[str, Any]:
    """Return the totals and means of drives of one kind, as plain values.

    `detour` is the distance driven over the shortest path, and `seconds` the time, both as means of
    the drives that reached the goal (None without one); `false_cells` is the mean of all drives.
    """
    reached = [each for each in drives if each.reached]
    detours = [each.distance / max(each.shortest, 0.1) for each in reached]
    return {
        'rooms': len(drives),
        'reached': len(reached),
        'collisions': sum(each.collisions for each in drives),
        'rooms_with_collisions': sum(each.collisions > 0 for each in drives),
        'distance': round(sum(each.distance for each in drives), 2),
        'detour': round(float(np.mean(detours)), 3) if reached else None,
        'seconds': round(float(np.mean([each.seconds for each in reached])), 1)
        if reached
        else None,
        'false_cells': round(float(np.mean([each.false_cells for each in drives])), 1),
    }


def document(drives: Mapping[str, Sequence[Drive]]) -> dict[str, Any]:
    """Return the summary of each kind, and each of its drives, as plain values."""
    return {
        kind: {
            **summary(some),
            'drives': [
                {
                    'reached': each.reached,
                    'why': each.why,
                    'collisions': each.collisions,
                    'distance': round(each.distance, 2),
                    'shortest': round(each.shortest, 2),
                    'seconds': round(each.seconds, 1),
                    'false_cells': round(each.false_cells, 1),
                }
                for each in some
            ],
        }
        for kind, some in drives.items()
    }


def table(drives: Mapping[str, Sequence[Drive]]) -> str:
    """Return a table with a line for each kind of depth."""
    lines = [
        f'{"depth from":10}{"reached":>10}{"collisions":>12}{"in rooms":>10}{"detour":>9}'
        f'{"seconds":>9}{"false cells":>13}'
    ]
    for kind, some in drives.items():
        s = summary(some)
        detour, seconds = (
            '-' if s[name] is None else f'{s[name]:{form}}'
            for name, form in (('detour', '.2f'), ('seconds', '.0f'))
        )
        reached = f'{s["reached"]} of {s["rooms"]}'
        lines.append(
            f'{kind:10}{reached:>10}{s["collisions"]:12}{s["rooms_with_collisions"]:10}'
            f'{detour:>9}{seconds:>9}{s["false_cells"]:13.1f}'
        )
    return '\n'.join(lines)
