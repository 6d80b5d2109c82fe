# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The public export routes of depth networks: one entry for each, as docs/adopt.md lists them.

A preset belongs to a route, not to a network: the same network is exported with and without its
normalisation, with and without its last factor, under the same tensor names.
"""

from dataclasses import dataclass, replace

from msdepth_ros.adopt.recipe import NORMALISATIONS, Invalid, Metric, Recipe


@dataclass(frozen=True)
class Preset:
    """One export route.

    Attributes
    ----------
    name, title : for commands, and as text for users.
    recipe : how the network is used.
    image : names that the image's tensor has in files of this route; () = any.
    rank : of that tensor.
    inputs : names of the further inputs.
    outputs : sets of the names that the outputs have; () = any.
    families : values of `model_type` in the hub's config.json.
    sides : the sizes that a file of fixed shape has; () = any.
    endings : possible last operations (see ExportedNetwork.ending), if routes differ in them.
    vit14 : whether the network divides the image into patches of 14 pixels.
    inside : whether the graph normalises the image itself.
    infers_camera : whether the network infers the camera from the image, also from its shape.
    license : of the published weights; '' = it depends on the size, or is not stated.
    license_note : what is published about it, and where.
    source : where files of this route come from.
    """

    name: str
    title: str
    recipe: Recipe
    image: tuple[str, ...] = ()
    rank: int = 4
    inputs: tuple[str, ...] = ()
    outputs: tuple[frozenset[str], ...] = ()
    families: tuple[str, ...] = ()
    sides: tuple[int, ...] = ()
    endings: tuple[str, ...] = ()
    vit14: bool = False
    inside: bool = False
    infers_camera: bool = False
    license: str = ''
    license_note: str = ''
    source: str = ''


def _outputs(*alternatives: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(names.split()) for names in alternatives)


_HALF, _UNIT, _RAW = (NORMALISATIONS[name] for name in ('half', 'unit', 'raw255'))
_AFFINE = Recipe(quantity='inverse_depth', metric=Metric('affine'), depth_range=(0.1, 100.0))
_INDOOR = Recipe(depth_range=(0.1, 20.0))
_OUTDOOR = Recipe(depth_range=(0.1, 80.0))
_DA3 = Recipe(
    metric=Metric('focal', 300.0, 'mean'),
    invalid=Invalid('sky', '>=', 0.3),
    size=(504, 504),
    depth_range=(0.1, 200.0),
)
_METRIC3D = Recipe(
    normalisation=_RAW,
    multiple=28,
    size=(1064, 616),
    fit='pad',
    metric=Metric('focal', 1000.0, 'fx'),
    precision='fp32',
    depth_range=(0.1, 200.0),
)
_UNIDEPTH = Recipe(size=(630, 462), fit='crop', output='pts_3d', channel=2)
_DEPTH_PRO = Recipe(
    normalisation=_HALF,
    multiple=0,
    size=(1536, 1536),
    quantity='inverse_depth',
    metric=Metric('focal', 1536.0, 'fx'),
    depth_range=(0.1, 200.0),
)
_DPT = replace(_AFFINE, normalisation=_HALF, multiple=32, size=(384, 384))
_ZOE = Recipe(normalisation=_UNIT, multiple=32, size=(512, 384), corners=True)

_DA_NOTE = (
    'Depth Anything V1: Apache-2.0. V2: Small Apache-2.0; Base, Large and Giant CC-BY-NC-4.0 '
    '(DepthAnything/Depth-Anything-V2 README)'
)
_DA_METRIC_NOTE = (
    'V2 metric, Hypersim: Small Apache-2.0, Base and Large CC-BY-NC-4.0. VKITTI: disputed, the '
    "data set's own licence is CC-BY-NC-SA-3.0"
)
_DA3_NOTE = (
    'Small, Base, Metric-Large and Mono-Large: Apache-2.0; Large, Giant and Nested: CC-BY-NC-4.0 '
    '(ByteDance-Seed/Depth-Anything-3 README). Hub tags of converted files are wrong at times'
)
_LIGHTLY_NOTE = (
    "not stated for each weight; LightlyTrain is AGPL-3.0 or commercial, Depth Anything's own "
    'licences apply to what was converted'
)
_METRIC3D_NOTE = 'code BSD-2-Clause, weights not stated (YvanYin/Metric3D)'
_FABIO, _HUB = 'github.com/fabio-sim/Depth-Anything-ONNX', 'huggingface.co/onnx-community'
_LIGHTLY = 'github.com/lightly-ai/lightly-train'
_METRIC3D_HOME = 'github.com/YvanYin/Metric3D'

PRESETS = (
    Preset(
        'da-fabio',
        'Depth Anything V1 or V2, relative',
        _AFFINE,
        image=('image',),
        outputs=_outputs('depth'),
        license_note=_DA_NOTE,
        source=_FABIO,
        endings=('relu',),
        vit14=True,
    ),
    Preset(
        'da-metric-fabio-indoor',
        'Depth Anything V2 metric, indoor (Hypersim)',
        _INDOOR,
        image=('image',),
        outputs=_outputs('depth'),
        license_note=_DA_METRIC_NOTE,
        source=_FABIO,
        endings=('sigmoid*20',),
        vit14=True,
    ),
    Preset(
        'da-metric-fabio-outdoor',
        'Depth Anything V2 metric, outdoor (VKITTI)',
        _OUTDOOR,
        image=('image',),
        outputs=_outputs('depth'),
        license_note=_DA_METRIC_NOTE,
        source=_FABIO,
        endings=('sigmoid*80',),
        vit14=True,
    ),
    Preset(
        'da-spacewalk',
        'Depth Anything V1 or V2, relative',
        _AFFINE,
        image=('input',),
        outputs=_outputs('output'),
        sides=(518,),
        license_note=_DA_NOTE,
        source='github.com/spacewalk01/depth-anything-tensorrt',
        endings=('relu',),
        vit14=True,
    ),
    Preset(
        'da-hub',
        'Depth Anything V1 or V2, relative',
        _AFFINE,
        image=('pixel_values',),
        outputs=_outputs('predicted_depth'),
        families=('depth_anything',),
        license_note=_DA_NOTE,
        source=_HUB,
        endings=('relu',),
        vit14=True,
    ),
    Preset(
        'da-metric-hub',
        'Depth Anything V2 metric',
        _OUTDOOR,
        image=('pixel_values',),
        outputs=_outputs('predicted_depth'),
        license_note=_DA_METRIC_NOTE,
        source=_HUB,
        endings=('sigmoid*20', 'sigmoid*80'),
        vit14=True,
    ),
    Preset(
        'da-lightly',
        'Depth Anything V2, relative',
        _AFFINE,
        image=('images',),
        outputs=_outputs('depth'),
        license_note=_LIGHTLY_NOTE,
        source=_LIGHTLY,
        endings=('relu',),
        vit14=True,
    ),
    Preset(
        'da-metric-lightly-indoor',
        'Depth Anything V2 metric, indoor: the last factor, 20 m, is not in the file',
        replace(_INDOOR, scale=20.0),
        image=('images',),
        outputs=_outputs('depth'),
        license_note=_LIGHTLY_NOTE,
        source=_LIGHTLY,
        endings=('sigmoid',),
        vit14=True,
    ),
    Preset(
        'da-metric-lightly-outdoor',
        'Depth Anything V2 metric, outdoor: the last factor, 80 m, is not in the file',
        replace(_OUTDOOR, scale=80.0),
        image=('images',),
        outputs=_outputs('depth'),
        license_note=_LIGHTLY_NOTE,
        source=_LIGHTLY,
        endings=('sigmoid',),
        vit14=True,
    ),
    Preset(
        'da3-ika',
        'Depth Anything 3 Metric-Large',
        replace(_DA3, size=(504, 280)),
        image=('image',),
        outputs=_outputs('depth sky'),
        license='Apache-2.0',
        license_note='Metric-Large (ByteDance-Seed/Depth-Anything-3 README)',
        source='github.com/ika-rwth-aachen/ros2-depth-anything-v3-trt',
    ),
    Preset(
        'da3-lightly-metric',
        'Depth Anything 3 metric, small, tiny, tiny-plus or large',
        _DA3,
        image=('images',),
        outputs=_outputs('depth sky'),
        license_note=_LIGHTLY_NOTE,
        source=_LIGHTLY,
    ),
    Preset(
        'da3-lightly-relative',
        'Depth Anything 3 relative: depth up to a factor',
        replace(_DA3, metric=Metric('scale')),
        image=('images',),
        outputs=_outputs('depth sky'),
        license_note=_LIGHTLY_NOTE,
        source=_LIGHTLY,
    ),
    Preset(
        'da3-hub',
        'Depth Anything 3 Small, Base or Large: depth up to a factor',
        Recipe(metric=Metric('scale'), depth_range=(0.1, 100.0)),
        image=('pixel_values', 'image'),
        rank=5,
        outputs=_outputs(
            'predicted_depth',
            'predicted_depth confidence',
            'predicted_depth predicted_confidence',
            'depth',
            'depth depth_conf intrinsics extrinsics',
        ),
        families=('depth_anything_v3', 'depth_anything_3'),
        license_note=_DA3_NOTE,
        source=_HUB,
    ),
    Preset(
        'metric3d',
        'Metric3D v2 (or v1), exported by its own script',
        _METRIC3D,
        image=('image',),
        outputs=_outputs('pred_depth'),
        license_note=_METRIC3D_NOTE,
        source=_METRIC3D_HOME,
        inside=True,
    ),
    Preset(
        'metric3d-hub',
        'Metric3D v2',
        _METRIC3D,
        image=('pixel_values',),
        outputs=_outputs('predicted_depth predicted_normal normal_confidence'),
        families=('metric3d',),
        license_note=f'{_METRIC3D_NOTE}; the hub tags the file cc0-1.0',
        source=_HUB,
        inside=True,
    ),
    Preset(
        'unidepth',
        'UniDepth v2, which infers the camera from the picture',
        _UNIDEPTH,
        image=('rgbs',),
        outputs=_outputs('pts_3d confidence intrinsics'),
        license='CC-BY-NC-4.0',
        license_note='lpiccinelli-eth/UniDepth LICENSE',
        source='github.com/lpiccinelli-eth/UniDepth',
        infers_camera=True,
    ),
    Preset(
        'unidepth-rays',
        'UniDepth v2, exported with the rays of the camera as an input',
        replace(_UNIDEPTH, camera_input=('rays', 'rays')),
        image=('rgbs',),
        inputs=('rays',),
        outputs=_outputs('pts_3d confidence intrinsics'),
        license='CC-BY-NC-4.0',
        license_note='lpiccinelli-eth/UniDepth LICENSE',
        source='github.com/lpiccinelli-eth/UniDepth',
    ),
    Preset(
        'unidepth-intrinsics',
        'UniDepth v2, exported with fx, fy, cx, cy as an input',
        replace(_UNIDEPTH, output='', camera_input=('intrinsics', 'fxfycxcy')),
        image=('rgb', 'rgbs'),
        inputs=('intrinsics',),
        license='CC-BY-NC-4.0',
        license_note='lpiccinelli-eth/UniDepth LICENSE',
        source='github.com/alicaank/Unidepth-Tensorrt',
    ),
    Preset(
        'depthpro',
        'Depth Pro: canonical inverse depth and field of view',
        _DEPTH_PRO,
        image=('input', 'image'),
        outputs=_outputs('depth focallength_px', 'depth fov', 'canonical_inverse_depth fov_deg'),
        license='apple-ascl',
        license_note="Apple's sample code licence (apple/ml-depth-pro LICENSE)",
        source='github.com/yuvraj108c/ml-depth-pro-tensorrt, '
        'github.com/leon0514/ml-depth-pro-trt10',
    ),
    Preset(
        'depthpro-transformers',
        'Depth Pro, exported from transformers: canonical inverse depth and field of view',
        _DEPTH_PRO,
        image=('pixel_values',),
        outputs=_outputs('predicted_depth field_of_view'),
        license='apple-ascl',
        license_note="Apple's sample code licence (apple/ml-depth-pro LICENSE)",
        source='transformers.DepthProForDepthEstimation',
    ),
    Preset(
        'depthpro-hub',
        'Depth Pro, in metres; the unit is not documented, so compare one distance',
        replace(_DEPTH_PRO, quantity='depth', metric=Metric()),
        image=('pixel_values',),
        outputs=_outputs('predicted_depth focallength_px'),
        license='apple-ascl',
        license_note="Apple's sample code licence, as the hub tags it",
        source=f'{_HUB}/DepthPro-ONNX',
        infers_camera=True,
    ),
    Preset(
        'midas21',
        'MiDaS v2.1 and v2.1 small, the official ONNX files',
        replace(_AFFINE, normalisation=_UNIT, multiple=32, size=(384, 384)),
        license='MIT',
        license_note='isl-org/MiDaS LICENSE',
        source='github.com/isl-org/MiDaS',
        inside=True,
    ),
    Preset(
        'dpt-hub',
        'DPT hybrid or large, BEiT or Swin v2: relative',
        _DPT,
        image=('pixel_values',),
        outputs=_outputs('predicted_depth'),
        families=('dpt',),
        license_note='MiDaS and DPT: MIT; hub pages of Intel/dpt-*: tagged Apache-2.0',
        source='huggingface.co/Xenova',
    ),
    Preset(
        'dpt-dinov2',
        'DPT with DINOv2, trained on NYU or KITTI',
        Recipe(multiple=28, size=(644, 476), fit='crop'),
        image=('pixel_values',),
        outputs=_outputs('predicted_depth'),
        license='Apache-2.0',
        license_note='tag of the hub page facebook/dpt-dinov2-small-nyu',
        source=f'{_HUB}/dpt-dinov2-*',
        endings=('relu',),
        vit14=True,
    ),
    Preset(
        'glpn',
        'GLPN, trained on NYU or KITTI',
        Recipe(normalisation=_UNIT, multiple=32, size=(640, 480)),
        image=('pixel_values',),
        outputs=_outputs('predicted_depth'),
        families=('glpn',),
        license_note='not stated in what was read (vinvino02/GLPDepth)',
        source='huggingface.co/Xenova',
        endings=('sigmoid*10',),
    ),
    Preset(
        'zoe',
        'ZoeDepth or Depth Anything V1 metric, normalised inside',
        _ZOE,
        image=('input',),
        outputs=_outputs('output'),
        license='MIT',
        license_note='isl-org/ZoeDepth LICENSE',
        source='github.com/timmh/Depth-Anything',
        inside=True,
    ),
    Preset(
        'zoe-hub',
        'ZoeDepth, exported from transformers',
        replace(_ZOE, normalisation=_HALF),
        image=('pixel_values',),
        outputs=_outputs('predicted_depth'),
        families=('zoedepth',),
        license='MIT',
        license_note='isl-org/ZoeDepth LICENSE',
        source='transformers.ZoeDepthForDepthEstimation',
    ),
    Preset(
        'yolo-depth',
        'YOLO26-depth',
        Recipe(normalisation=_UNIT, multiple=32, size=(768, 768), depth_range=(0.1, 150.0)),
        image=('images',),
        outputs=_outputs('output0'),
        license='AGPL-3.0',
        license_note='ultralytics/ultralytics LICENSE',
        source='github.com/ultralytics/ultralytics',
    ),
    Preset(
        'fastdepth',
        'FastDepth, trained on NYU',
        Recipe(
            normalisation=_UNIT,
            multiple=32,
            size=(224, 224),
            fit='crop',
            depth_range=(0.1, 10.0),
        ),
        license='MIT',
        license_note='dwofk/fast-depth LICENSE',
        source='github.com/PINTO0309/PINTO_model_zoo (146)',
    ),
    Preset(
        'lite-mono',
        'Lite-Mono or monodepth2: depth up to a factor',
        Recipe(
            normalisation=_UNIT,
            multiple=32,
            size=(640, 192),
            quantity='inverse_depth',
            scale=9.99,
            shift=0.01,
            metric=Metric('scale'),
            depth_range=(0.1, 100.0),
        ),
        license_note='Lite-Mono: MIT; monodepth2: for non-commercial use',
        source='github.com/PINTO0309/PINTO_model_zoo (371)',
        inside=True,
    ),
    Preset(
        'fsnet',
        'FSNet, which takes the camera as P2',
        Recipe(
            multiple=32,
            size=(1280, 384),
            fit='pad',
            camera_input=('P2', 'P3x4'),
            depth_range=(0.1, 100.0),
        ),
        image=('image',),
        inputs=('P2',),
        license_note='not stated in what was read',
        source='github.com/Owen-Liuyuxuan/ros2_vision_inference',
    ),
    Preset(
        'zipdepth',
        'ZipDepth, relative',
        replace(_AFFINE, normalisation=_UNIT, multiple=32, size=(512, 384)),
        image=('image',),
        outputs=_outputs('depth'),
        license_note='not stated in what was read',
        source='exports named in docs/adopt.md',
    ),
)
NAMES = tuple(preset.name for preset in PRESETS)


def preset_named(name: str) -> Preset | None:
    """Return the preset of this name, None if there is none."""
    return next((preset for preset in PRESETS if preset.name == name), None)
