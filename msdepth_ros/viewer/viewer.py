# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The executable `viewer`."""

import importlib.util
import sys

import rclpy


def main(args: list[str] | None = None) -> int:
    """Run the viewer until SIGINT or SIGTERM."""
    if importlib.util.find_spec('viser') is None:
        print(
            "the viewer needs the library viser: pip install 'msdepth_ros[viewer]', or pip install "
            'viser',
            file=sys.stderr,
        )
        return 2
    from msdepth_ros.node.process import run_node
    from msdepth_ros.viewer.viewer_node import ViewerNode

    return run_node(ViewerNode, rclpy.spin, args)


if __name__ == '__main__':
    sys.exit(main())
