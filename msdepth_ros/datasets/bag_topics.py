# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Chooses the topics of a recording: the colour image, its depth and its calibration."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from msdepth_ros.datasets.base import DatasetError
from msdepth_ros.images.topic_names import without_transport

_DEPTH_ENCODINGS = ('16UC1', '32FC1')
_OTHER_SENSORS = ('infra', '/ir/', '/left', '/right', 'confidence', 'mask')


@dataclass(frozen=True)
class Topics:
    """Names of topics to read; None: `choose_topics` finds it."""

    image: str | None = None
    depth: str | None = None
    camera_info: str | None = None
    odom: str | None = None


@dataclass(frozen=True)
class ChosenTopics:
    """Names of topics that are read; camera_info is None where no calibration is needed."""

    image: str
    depth: str
    camera_info: str | None


def choose_topics(
    wanted: Topics,
    images: Mapping[str, str],
    camera_infos: Collection[str],
    calibrated: bool,
    where: str,
) -> ChosenTopics:
    """Return the topics to read: the wanted ones, and for the others the only possible choice.

    Depth and colour differ by their encoding. Among several depth topics, those with `depth` in
    their name are preferred, then those with `aligned` or `registered`; among several colour
    topics, those without another sensor's name; and the raw topic before its compressed one.
    camera_info is the one beside the colour image, as in image_transport, or the only one.

    Parameters
    ----------
    wanted : the topics that the user gave.
    images : topics with images, and the encoding (or format, if compressed) of each.
    camera_infos : topics with calibrations.
    calibrated : whether the intrinsics are known without a camera_info.
    where : names the recording in errors.

    Raises
    ------
    DatasetError
        If a topic does not exist, or several are possible.
    """
    depths = depth_topics(images)
    likely = _with(_with(depths, ('depth',)), ('aligned', 'registered'))
    image = _choose_image(wanted.image, images, where)
    depth = _choose('depth', wanted.depth, depths, _without_twins(likely), where)
    return ChosenTopics(image, depth, _choose_info(wanted, image, camera_infos, calibrated, where))


def choose_camera(
    wanted: Topics,
    images: Mapping[str, str],
    camera_infos: Collection[str],
    calibrated: bool,
    where: str,
) -> tuple[str, str | None]:
    """Return the topics of a camera without depth: its images and its calibration.

    Parameters and errors are those of `choose_topics`, except that a recording without camera_info
    is accepted: then the second topic is None.
    """
    image = _choose_image(wanted.image, images, where)
    known = calibrated or not (camera_infos or wanted.camera_info)
    return image, _choose_info(wanted, image, camera_infos, known, where)


def depth_topics(images: Mapping[str, str]) -> list[str]:
    """Return those of the topics with images that hold depth."""
    return [name for name, encoding in images.items() if _is_depth(name, encoding)]


def _choose_image(wanted: str | None, images: Mapping[str, str], where: str) -> str:
    colors = [name for name, encoding in images.items() if not _is_depth(name, encoding)]
    others = [name for name in colors if any(part in name.lower() for part in _OTHER_SENSORS)]
    plain = [name for name in colors if name not in others] or colors
    return _choose('image', wanted, colors, _without_twins(plain), where)


def _choose_info(
    wanted: Topics, image: str, camera_infos: Collection[str], calibrated: bool, where: str
) -> str | None:
    beside = f'{without_transport(image).rsplit("/", 1)[0]}/camera_info'
    camera_info = wanted.camera_info or (beside if beside in camera_infos else None)
    if camera_info is None and calibrated:
        return None
    return _choose('camera_info', camera_info, camera_infos, list(camera_infos), where)


def _is_depth(name: str, encoding: str) -> bool:
    in_name = encoding == 'mono16' and 'depth' in name.lower()
    return encoding in _DEPTH_ENCODINGS or 'compressedDepth' in encoding or in_name


def _with(names: list[str], parts: Sequence[str]) -> list[str]:
    """Return the names that contain one of the parts, or all names if none does."""
    return [name for name in names if any(part in name.lower() for part in parts)] or names


def _without_twins(names: list[str]) -> list[str]:
    """Return the names without the compressed topics whose raw topic is there, too."""
    raw = {name: without_transport(name) for name in names}
    return [name for name in names if raw[name] == name or raw[name] not in names]


def _choose(
    role: str, wanted: str | None, known: Collection[str], found: list[str], where: str
) -> str:
    there = f'there are {", ".join(sorted(known)) or "none"}'
    option = f'--{role.replace("_", "-")}-topic'
    if wanted is not None:
        if wanted in known:
            return wanted
        raise DatasetError(f'{where} has no {role} messages on {wanted} ({option}): {there}')
    if len(found) == 1:
        return found[0]
    if found:
        raise DatasetError(
            f'{where} has several {role} topics: give one of {", ".join(found)} ({option}), or '
            'record only one'
        )
    raise DatasetError(
        f'{where} has no {role} topic: record colour, the depth aligned to it, and camera_info; '
        f'{there}'
    )
