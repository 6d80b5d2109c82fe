# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a robot sees: the rendered image, its depth, and the clouds made from it."""

import math
from dataclasses import dataclass, field

import numpy as np
import torch

from msdepth_ros.datasets import Frame
from msdepth_ros.drive.arena import Arena
from msdepth_ros.drive.robot import Body, Place
from msdepth_ros.evaluation.measurements import Measured
from msdepth_ros.evaluation.navigation import EDGE_THRESHOLD
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.camera_pose import CameraPose
from msdepth_ros.geometry.flying_pixels import remove_flying_pixels
from msdepth_ros.geometry.obstacle_cloud import ObstacleCloud, ObstacleOptions, free_points
from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.geometry.rigid import rigid
from msdepth_ros.inference.estimator import DepthEstimator
from msdepth_ros.inference.frame import DepthFrame
from msdepth_ros.metric.floor import FloorPlane
from msdepth_ros.navigation.costmap import Sighting
from msdepth_ros.rooms import Film, Lighting, Pose, render
from msdepth_ros.rooms.light import illuminate

_FILM = Film(vignette=0.1, blur=0.4, noise=0.01)


@dataclass(frozen=True)
class View:
    """A rendered image.

    Attributes
    ----------
    rgb : uint8 [height, width, 3].
    depth : float32 [height, width], true depth along Z, metres.
    """

    rgb: np.ndarray
    depth: np.ndarray


class Cameraman:
    """Renders the images of a robot's camera in one arena."""

    def __init__(self, arena: Arena, body: Body, intrinsics: Intrinsics) -> None:
        self.intrinsics = intrinsics
        self._arena = arena
        self._pose = CameraPose(*body.camera_pose)
        self._lighting: Lighting = illuminate(arena.scene, seed=0)
        self._frames = 0

    def position_and_rotation(self, place: Place) -> tuple[np.ndarray, np.ndarray]:
        """Return the camera's position, float64 [3] metres, and rotation [3, 3] from its frame."""
        c, s = math.cos(place.heading), math.sin(place.heading)
        turned = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
        pose = self._pose
        position = turned @ [pose.x, pose.y, pose.z] + [place.x, place.y, 0]
        return position, turned @ rigid((0, 0, 0), pose.optical_rotation())[:3, :3]

    def view(self, place: Place) -> View:
        """Render one image."""
        position, rotation = self.position_and_rotation(place)
        pose = Pose(torch.from_numpy(position).float(), torch.from_numpy(rotation).float())
        self._frames += 1
        frame = render(
            self._arena.scene,
            pose,
            self.intrinsics,
            lighting=self._lighting,
            film=_FILM,
            samples=1,
            seed=self._frames,
        )
        return View(frame.rgb.numpy(), frame.depth.numpy())


@dataclass
class Sight:
    """Computes the clouds for a costmap from images, as the node does.

    Attributes
    ----------
    estimator : estimates the depth.
    measured : the measurements to align with, as `msdepth evaluate --measured`; 'truth' = the true
        depth instead, on the same grid.
    options, max_range, edge_threshold : as in config/navigation.yaml.
    """

    estimator: DepthEstimator
    measured: str = 'none'
    options: ObstacleOptions = field(default_factory=lambda: ObstacleOptions(voxel_size=0.05))
    max_range: float = 4.5
    edge_threshold: float = EDGE_THRESHOLD

    def __post_init__(self) -> None:
        self._cloud = ObstacleCloud()
        self._frames = 0

    def sightings(
        self,
        view: View,
        cameraman: Cameraman,
        place: Place,
        stamp: float,
    ) -> dict[str, Sighting]:
        """Return the clouds `points` and `obstacles` of an image; `stamp` in seconds."""
        position, rotation = cameraman.position_and_rotation(place)
        plane = FloorPlane(rotation.T @ [0.0, 0.0, 1.0], float(position[2]))
        frame = self._estimate(view, cameraman.intrinsics, plane)
        grid = frame.intrinsics
        assert grid is not None
        depth, beyond, error = frame.depth, frame.beyond, None
        if self.measured == 'truth':
            depth, beyond = self._truth(view, frame)
        elif frame.aligned is not None and frame.aligned.measured:
            error = frame.std
        obstacles = self._cloud.points(
            depth,
            grid,
            plane.height,
            plane.up,
            stamp,
            self.options,
            beyond,
            error,
            floor=None if self.measured == 'truth' else frame.outputs.get('floor'),
        )
        free = free_points(depth, grid, self.max_range, self.options.voxel_size, beyond)
        return {
            'points': Sighting(position, rotation, free),
            'obstacles': Sighting(position, rotation, obstacles),
        }

    def _estimate(self, view: View, i: Intrinsics, plane: FloorPlane) -> DepthFrame:
        self._frames += 1
        camera = Camera.pinhole(i.width, i.height, i.fx, i.fy, i.cx, i.cy)
        align = None
        if self.measured not in ('none', 'truth'):
            frame = Frame('view', view.rgb[..., ::-1], view.depth, i)
            measured = Measured.parse(self.measured, plane)
            align = measured.align_for(self.estimator.model, frame, self._frames)
        return self.estimator.estimate(view.rgb, 'rgb8', camera, align=align)

    def _truth(self, view: View, frame: DepthFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return the true depth on the frame's grid, and where it exceeds the model's range."""
        height, width = view.depth.shape
        u, v = (np.rint(each).astype(int) for each in frame.cells.pixels())
        depth = view.depth[v.clip(0, height - 1), u.clip(0, width - 1)].copy()
        beyond = depth > self.estimator.model.depth_range[1]
        depth[beyond] = np.nan
        return remove_flying_pixels(depth, self.edge_threshold), beyond
