# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recognises the preset of an exported network, and networks that cannot be adopted."""

import re

from msdepth_ros.adopt.exported import ExportedNetwork, TensorInfo
from msdepth_ros.adopt.hub_config import HubConfig
from msdepth_ros.adopt.presets import NAMES, PRESETS, Preset, preset_named
from msdepth_ros.errors import ModelError

QUANTISED = frozenset(
    (
        *('MatMulInteger', 'ConvInteger', 'DynamicQuantizeLinear', 'QLinearConv'),
        *('QLinearMatMul', 'QGemm'),
    )
)
_STATE = re.compile('hidden|state|cache|memory|past|present|prev', re.IGNORECASE)
# Words in file names: only a hint for the user.
_WORDS = {
    'indoor': 'indoor|hypersim',
    'outdoor': 'outdoor|vkitti',
    'metric': 'metric',
    'relative': 'relative',
}


def refuse_unusable(network: ExportedNetwork) -> None:
    """Check that a network can be adopted at all.

    Raises
    ------
    ModelError
        If it cannot; the message has the reason.
    """
    reason = _unusable(network)
    if reason:
        raise ModelError(f'{network.path.name} cannot be adopted: {reason}')


def _unusable(network: ExportedNetwork) -> str:
    operations = network.operations()
    quantised = sorted(name for name in operations if _is_quantised(name))
    if quantised:
        return (
            f'it is quantised with operations that TensorRT cannot read ({", ".join(quantised)}): '
            'use the plain model.onnx or model_fp16.onnx of the same export'
        )
    foreign = sorted(name for name in operations if '.' in name)
    if foreign:
        return (
            f'it has operations that only one runtime supports ({", ".join(foreign)}): export it '
            'without that optimisation'
        )
    loops = sorted(operations & {'Loop', 'Scan'})
    if loops:
        return f'it has loops ({", ".join(loops)}), which engines do not support'
    inputs, outputs = set(network.inputs), set(network.outputs)
    if 'num_tokens' in inputs or {'points', 'mask'} <= outputs:
        return (
            'it predicts points up to a shift (MoGe), which a solver outside the graph must find '
            'in every frame'
        )
    if any(re.search('lat|long', name) for name in inputs):
        return 'its input is patches of a sphere (Depth Any Camera), not the image of a camera'
    text = sorted(n for n in inputs if re.search('input_ids|token|text|attention_mask', n))
    if text:
        return f'it needs a text with the image ({", ".join(text)})'
    state = sorted(name for name in inputs if _STATE.search(name))
    if state:
        return f'it is a video network that keeps a state from frame to frame ({", ".join(state)})'
    frames = [info for info in network.inputs.values() if len(info.shape) == 5]
    if frames and _views(frames[0]) not in (1, None):
        return (
            f"its input '{frames[0].name}' is {_views(frames[0])} images: a video or several "
            'views; export it for one'
        )
    return ''


def _is_quantised(operation: str) -> bool:
    domain, _, name = operation.rpartition('.')
    return name in QUANTISED or bool(domain and re.search('NBits|Bnb4|Quant|QLinear', name))


def _views(info: TensorInfo) -> int | None:
    """Return the number of images in a tensor of rank 5, None if it is open."""
    return info.shape[1]


def choose_preset(
    network: ExportedNetwork, wanted: str, hub: HubConfig | None, by_hand: bool = False
) -> Preset | None:
    """Return the preset of a network.

    Parameters
    ----------
    network : the file.
    wanted : name of a preset, or 'auto': recognised by the file.
    hub : the hub's files; None: not given.
    by_hand : whether everything is given by hand, so that no preset is needed.

    Returns
    -------
    None if 'auto' finds no preset; or several, with `by_hand`.

    Raises
    ------
    ModelError
        If there is no such preset, or several match.
    """
    if wanted != 'auto':
        preset = preset_named(wanted)
        if preset is not None:
            return preset
        found = [each for each in PRESETS if each.name.startswith(f'{wanted}-')]
        if not found:
            raise ModelError(f"no preset named '{wanted}': there are {', '.join(NAMES)}")
        return _ask(network, found)
    found = [preset for preset in PRESETS if _fits(network, preset)]
    found = _by_hub(found, hub)
    if len(found) > 1:
        found = _by_graph(network, found)
    if len(found) > 1:
        return None if by_hand else _ask(network, found)
    return found[0] if found else None


def _fits(network: ExportedNetwork, preset: Preset) -> bool:
    """Return whether the file has the names, ranks and sizes of a preset."""
    try:
        image = network.image_input(next((n for n in preset.image if n in network.inputs), ''))
    except ModelError:
        return False
    if preset.name == 'midas21':
        return _is_midas(network, image)
    if not preset.image or image.name not in preset.image or len(image.shape) != preset.rank:
        return False
    if set(network.inputs) - {image.name} != set(preset.inputs):
        return False
    if preset.outputs and frozenset(network.outputs) not in preset.outputs:
        return False
    if not preset.outputs and not preset.inputs:
        return False
    if preset.sides and not {size for size in image.shape[-2:] if size} <= set(preset.sides):
        return False
    if preset.name == 'yolo-depth':
        return network.metadata.get('task') == 'depth'
    if preset.name == 'zoe':
        return 'PredictionFactor' in network.metadata
    if preset.name == 'da-spacewalk':
        return 'PredictionFactor' not in network.metadata and image.shape[-2:] == (518, 518)
    return True


def _is_midas(network: ExportedNetwork, image: TensorInfo) -> bool:
    """Return whether a file is MiDaS v2.1, by its square input and its normalisation."""
    if len(network.inputs) != 1 or len(network.outputs) != 1 or len(image.shape) != 4:
        return False
    (output,) = network.outputs.values()
    square = image.shape[-2:] in ((384, 384), (256, 256)) and len(output.shape) == 3
    return square and network.beginning(image.name).normalises


def _by_hub(found: list[Preset], hub: HubConfig | None) -> list[Preset]:
    """Return the presets of the family in the hub's files."""
    if hub is None or not hub.family:
        return found
    family = [preset for preset in found if hub.family in preset.families]
    if hub.family == 'depth_anything' and hub.metric:
        family = [preset for preset in found if preset.name == 'da-metric-hub']
    if hub.family == 'dpt' and hub.pads:
        family = [preset for preset in found if preset.name == 'dpt-dinov2']
    return family or found


def _by_graph(network: ExportedNetwork, found: list[Preset]) -> list[Preset]:
    """Return the presets that agree with the graph's first and last operations; if none, all."""
    image = network.image_input()
    patch = network.beginning(image.name).patch
    ending = network.ending(next(iter(network.outputs)))
    fitting = [
        preset for preset in found if ending in preset.endings and (patch == 14) == preset.vit14
    ]
    return fitting or found


def _ask(network: ExportedNetwork, found: list[Preset]) -> Preset:
    if len(found) == 1:
        return found[0]
    lines = '; '.join(f'{preset.name} ({preset.title})' for preset in found)
    hint = [
        preset.name
        for preset in found
        if any(
            re.search(word, preset.name) and re.search(pattern, network.path.name, re.IGNORECASE)
            for word, pattern in _WORDS.items()
        )
    ]
    says = f'. Its file name suggests {" or ".join(hint)}' if hint else ''
    raise ModelError(
        f'{network.path.name} can be of several export routes, which look alike but differ in '
        f'meaning: give --preset with one of {lines}{says}'
    )
