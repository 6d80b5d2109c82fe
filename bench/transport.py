# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How many images get lost between a camera and the node, with Fast DDS as it comes and with ours.

make bench-transport
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from msdepth_ros.inference.model import DEFAULT_MODEL

SIZES = ((640, 480), (1920, 1080), (3840, 2160))
RATES = (10.0, 30.0)  # Hz
PROFILES = {'as it comes': False, 'with config/fastdds.xml': True}


def lost(
    model: str, size: tuple[int, int], rate: float, seconds: float, profile: bool
) -> tuple[int, int]:
    """Return how many images were sent, and how many of them the node did not receive.

    Nobody subscribes to the node's topics, so it does nothing but receive.
    """
    from msdepth_ros.benchmark.rig import Rig

    with Rig({'model': model}, size, consumes=False, profile=profile) as rig:
        before = int(rig.diagnostics().get('frames received', 0))
        run = rig.run(rate, seconds)
        received = int(rig.diagnostics().get('frames received', 0)) - before
    return len(run.sent), len(run.sent) - received


def main() -> None:
    """Print a table, each cell of it from processes of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seconds', type=float, default=5.0, help='of each run')
    parser.add_argument('--out', type=Path, help='write the table to this file')
    parser.add_argument('--model', default=DEFAULT_MODEL)
    parser.add_argument('--cell', help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.cell:
        print(json.dumps(lost(*json.loads(arguments.cell))))
        return
    lines = ['Images lost on the way to the node, of those sent:', '']
    lines += [f'| image | rate | {" | ".join(PROFILES)} |', '| --- ' * (2 + len(PROFILES)) + '|']
    for size in SIZES:
        for rate in RATES:
            cells = []
            for profile in PROFILES.values():
                cell = json.dumps((arguments.model, size, rate, arguments.seconds, profile))
                answer = subprocess.check_output([sys.executable, __file__, '--cell', cell])
                sent, missing = json.loads(answer)
                cells.append(f'{missing} of {sent}')
            lines.append(f'| {"x".join(map(str, size))} | {rate:g} Hz | {" | ".join(cells)} |')
            print(lines[-1], flush=True)
    if arguments.out:
        arguments.out.write_text('\n'.join(lines) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
