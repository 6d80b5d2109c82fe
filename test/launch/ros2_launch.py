# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What `ros2 launch FILE [--show-args] [NAME:=VALUE ...]` does, where ros2launch is missing."""

import sys

from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource


def main(file: str, *words: str) -> int:
    """Run the launch file, or list its arguments; return the exit code."""
    if '--show-args' in words:
        description = PythonLaunchDescriptionSource(
            file
        ).try_get_launch_description_without_context()
        for argument in description.get_launch_arguments():
            default = ''.join(part.describe() for part in argument.default_value or ())
            print(f"'{argument.name}':\n    {argument.description}\n    (default: {default})")
        return 0
    arguments = [tuple(word.split(':=', 1)) for word in words]
    service = LaunchService(argv=list(words))
    service.include_launch_description(
        LaunchDescription(
            [
                IncludeLaunchDescription(
                    PythonLaunchDescriptionSource(file), launch_arguments=arguments
                )
            ]
        )
    )
    return service.run()


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
