# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth adopt`: make a model file from a depth network that others exported to ONNX."""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msdepth_ros.errors import ModelError
from msdepth_ros.resources import user_models_directory, user_path

if TYPE_CHECKING:
    from msdepth_ros.adopt.adoption import Adopted

HELP = 'make a model file from an exported depth network (Depth Anything and others)'

_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]*')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    add = parser.add_argument
    add('onnx', type=user_path, metavar='MODEL.onnx')
    add('--preset', default='auto', help='export route, see docs/adopt.md; auto: from the file')
    add(
        '--out',
        metavar='NAME|DIR',
        help='name of the adopted model, or its folder (default: the name of the file)',
    )
    add('--camera', metavar='FILE|WxH', help="calibration, or image size, of the robot's camera")
    add('--size', metavar='WxH', help='input size of the network, if the file leaves it open')
    add('--check', type=user_path, metavar='IMAGE', help='photo for the checks (default: a room)')
    add('--strict', action='store_true', help='fail if a check warns')
    add('--license', default='', help='licence of the weights (default: as the authors state it)')
    hand = parser.add_argument_group('by hand', 'override the preset').add_argument
    hand(
        '--hub-config',
        type=user_path,
        metavar='DIR',
        help='folder with config.json and preprocessor_config.json of a hub repository',
    )
    hand('--input', metavar='NAME', help='tensor of the image')
    hand('--output', metavar='NAME[:CHANNEL]', help='tensor of the depth')
    hand('--norm', help='imagenet, half, unit, raw255, none or mean=R,G,B,std=R,G,B')
    hand('--bgr', action='store_true', help='channel order is blue, green, red')
    hand('--multiple', type=int, metavar='N', help='width and height must be multiples of N')
    hand(
        '--resize',
        dest='fit',
        choices=('crop', 'pad', 'stretch'),
        help='how images of another aspect ratio are fitted to the input',
    )
    hand(
        '--corners',
        action='store_true',
        default=None,
        help='the corner cells lie on the corner pixels (align_corners)',
    )
    hand(
        '--quantity', choices=('depth', 'inverse_depth', 'log_depth'), help='meaning of the output'
    )
    hand('--affine', metavar='SCALE,SHIFT', help='the quantity is SCALE * output + SHIFT')
    hand('--metric', help='metres, focal:CANONICAL[:mean|fx], scale or affine: see docs/adopt.md')
    hand('--invalid', metavar='NAME>=V|NAME<V', help='mask of cells without depth (sky), or none')
    hand('--confidence', metavar='NAME', help='tensor of confidence, at least 1, larger is surer')
    hand('--range', metavar='MIN,MAX', help='valid depths in metres')
    hand(
        '--camera-input',
        metavar='NAME=KIND',
        help='input for the intrinsics, of KIND K, P3x4, fxfycxcy or rays',
    )
    hand(
        '--const',
        action='append',
        default=[],
        metavar='NAME=VALUE',
        help='constant for another input; repeatable',
    )
    hand('--precision', choices=('fp16', 'fp32'), help='fp32 if FP16 is not exact enough')


def run(arguments: argparse.Namespace) -> int:
    """Adopt, print what was done and found, and return the exit code."""
    from msdepth_ros.adopt.adoption import adopt
    from msdepth_ros.adopt.plan import Request
    from msdepth_ros.adopt.size import parse_size
    from msdepth_ros.calibration import camera_from_url
    from msdepth_ros.images.sources import DEFAULT_CLIP, ImageSource

    camera = None
    camera_size = None
    if arguments.camera:
        if re.fullmatch(r'\d+x\d+', arguments.camera):
            camera_size = parse_size(arguments.camera)
        else:
            camera = camera_from_url(arguments.camera)
            camera_size = camera.width, camera.height
    photo = next(iter(ImageSource(arguments.check or DEFAULT_CLIP)))
    request = Request(
        onnx=arguments.onnx,
        folder=_folder(arguments.out, arguments.onnx, arguments.preset),
        photo=photo.image,
        preset=arguments.preset,
        hub_config=arguments.hub_config,
        size=parse_size(arguments.size) if arguments.size else None,
        camera=camera or photo.camera,
        camera_size=camera_size,
        changes=_changes(arguments),
        license=arguments.license,
        strict=arguments.strict,
    )
    _report(adopt(request), arguments.onnx, bool(arguments.check))
    return 0


def _folder(out: str | None, onnx: Path, preset: str) -> Path:
    """Return the folder to write to, named as the model."""
    from msdepth_ros.inference.model import model_names

    if out is None:
        out = onnx.stem
        if out.startswith('model'):  # the hub calls every file so: REPOSITORY/onnx/model.onnx
            folder = onnx.resolve().parent
            folder = folder.parent if folder.name == 'onnx' else folder
            out = folder.name if preset == 'auto' else preset
        out = re.sub(r'[^A-Za-z0-9._-]+', '-', out).strip('-.') or 'adopted'
    folder = user_path(out)
    if Path(out).name == out:
        if out in model_names():
            raise ModelError(f"'{out}' is a shipped model: give another name with --out")
        folder = user_models_directory() / out
    if not _NAME.fullmatch(folder.name):
        raise ModelError(f"--out '{out}': use letters, digits, '.', '_' and '-' only")
    return folder


def _changes(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of the recipe that options set."""
    from msdepth_ros.adopt.recipe import CAMERA_INPUTS, Invalid, Metric, Normalisation

    changes: dict[str, Any] = {
        name: getattr(arguments, name)
        for name in ('input', 'quantity', 'confidence', 'precision', 'corners', 'multiple')
        if getattr(arguments, name) is not None
    }
    if arguments.multiple is not None and not 1 <= arguments.multiple <= 512:
        raise ModelError(f'--multiple is {arguments.multiple} but must be 1 to 512')
    if arguments.fit is not None:
        changes['fit'] = arguments.fit
    if arguments.bgr:
        changes['channels'] = 'bgr'
    if arguments.norm is not None:
        changes['normalisation'] = Normalisation.parse(arguments.norm)
    if arguments.metric is not None:
        changes['metric'] = Metric.parse(arguments.metric)
    if arguments.invalid is not None:
        none = arguments.invalid == 'none'
        changes['invalid'] = None if none else Invalid.parse(arguments.invalid)
    if arguments.affine is not None:
        changes['scale'], changes['shift'] = _pair('--affine', arguments.affine)
    if arguments.range is not None:
        low, high = _pair('--range', arguments.range)
        if not 0 < low < high:
            raise ModelError('--range must be MIN,MAX in metres with 0 < MIN < MAX')
        changes['depth_range'] = low, high
    if arguments.output is not None:
        name, colon, channel = arguments.output.rpartition(':')
        numbered = bool(colon) and channel.isdigit()
        changes['output'] = name if numbered else arguments.output
        changes['channel'] = int(channel) if numbered else None
    if arguments.camera_input is not None:
        name, _, kind = arguments.camera_input.rpartition('=')
        if not name or kind not in CAMERA_INPUTS:
            raise ModelError(f'--camera-input must be NAME={"|".join(CAMERA_INPUTS)}')
        changes['camera_input'] = name, kind
    if arguments.const:
        changes['constants'] = dict(map(_constant, arguments.const))
    return changes


def _pair(option: str, text: str) -> tuple[float, float]:
    try:
        first, second = (float(part) for part in text.split(','))
    except ValueError as error:
        raise ModelError(f"{option} '{text}' must be two numbers with a comma between") from error
    return first, second


def _constant(text: str) -> tuple[str, float]:
    name, _, value = text.rpartition('=')
    try:
        return name, float(value)
    except ValueError as error:
        raise ModelError(f"--const '{text}' must be NAME=VALUE") from error


def _report(adopted: 'Adopted', onnx: Path, own_photo: bool) -> None:
    model, recipe = adopted.model, adopted.recipe
    width, height = model.input_size
    route = f'{adopted.preset.name}, {adopted.preset.title}' if adopted.preset else 'by hand'
    print(f'{onnx.name}: {route}')
    print(f'input: {width}x{height}, {recipe.normalisation}, {recipe.channels}, fit {recipe.fit}')
    print(f'depth: {recipe.quantity}, {recipe.metric}')
    if recipe.metric.kind in ('scale', 'affine'):
        up_to = 'a factor' if recipe.metric.kind == 'scale' else 'scale and shift of inverse depth'
        print(
            f'  known up to {up_to}: measurements make metres of it, see the parameter '
            '`metric.sources`'
        )
    document = model.document
    print(f'licence of the weights: {document["license"]} ({document["license_source"]})')
    for note in adopted.notes:
        print(f'note: {note}')
    for warning in adopted.warnings:
        print(f'WARNING: {warning}')
    if not own_photo:
        print('note: checked with a rendered room; use --check IMAGE with a photo of your camera')
    print(f'picture: {adopted.picture}')
    yaml = model.onnx.with_suffix('.yaml')
    name = model.name if yaml.parent.parent == user_models_directory() else yaml
    print(f'adopted: {yaml}; use it as `model: {name}`')
