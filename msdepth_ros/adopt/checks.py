# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checks of a recipe with one photo; each finds a known mistake.

Every check returns warnings, as lines for the user. No warning does not prove that all is right.
"""

import math

import numpy as np

from msdepth_ros.adopt.exported import Beginning, ExportedNetwork
from msdepth_ros.adopt.recipe import Metric, Recipe

_SWAPPED = 0.35  # with a larger rank correlation of depth and row, near and far look swapped
_ASPECT = 0.02  # largest relative difference of aspect ratios, for networks that infer the camera
_STRETCH = 0.4  # largest logarithm of a change of the aspect ratio, for other networks
_FP16_OPSET = 17  # the first with LayerNormalization
_LARGEST_METRES = 300.0


def check_normalisation(recipe: Recipe, beginning: Beginning, inside: bool) -> list[str]:
    """Compare the recipe's normalisation with the graph's own.

    Parameters
    ----------
    recipe : what is done before the graph.
    beginning : what the graph does first.
    inside : whether the graph normalises by the preset.
    """
    given = recipe.normalisation
    if beginning.normalises:
        if any(given.mean):
            return [
                f'doubled normalisation: {given} is applied, and the graph subtracts a mean of '
                f'{beginning.mean.round(3).tolist()} itself: --norm '
                f'{"unit" if max(beginning.std) < 1 else "raw255"}'
            ]
        of_unit = max(beginning.std) < 1
        fed_unit = max(given.std) > 2
        if of_unit != fed_unit:
            return [
                f'the graph normalises an image of 0 to {1 if of_unit else 255}, but is given one '
                f'of 0 to {1 if fed_unit else 255}: --norm {"unit" if of_unit else "raw255"}'
            ]
        return []
    scaled = not np.allclose(beginning.std, 1.0) or any(given.mean) or max(given.std) > 1
    if beginning.product and (not scaled or (inside and not any(given.mean))):
        return [
            f'missing normalisation: {given} is applied, and the graph shows none before its first '
            'product: --norm imagenet or half, unless it is folded into that product'
        ]
    return []


def check_preset_normalisation(recipe: Recipe, preset: Recipe, beginning: Beginning) -> list[str]:
    """Compare a normalisation that was given by hand with the preset's."""
    given, usual = recipe.normalisation, preset.normalisation
    if any(given.mean) or not any(usual.mean) or beginning.normalises or not beginning.product:
        return []
    return [f'missing normalisation: {given} is applied, this route is known to need {usual}']


def check_values(recipe: Recipe, prediction: np.ndarray) -> list[str]:
    """Check the values of the prediction, float32 [h, w], in its own quantity."""
    finite = prediction[np.isfinite(prediction)]
    if not finite.size:
        return ['no value of the prediction is a number']
    if not np.any(finite):
        return [
            'the prediction is zero everywhere: the file may be exported wrongly, export it again'
        ]
    spread = float(finite.max() - finite.min())
    if spread <= 1e-6 * float(np.abs(finite).max()):
        return [f'the prediction is {float(finite[0]):g} everywhere, whatever the image shows']
    if recipe.quantity != 'log_depth' and np.mean(finite > 0) < 0.5:
        return [f'most of the prediction is not positive: is it {recipe.quantity}?']
    return []


def check_metres(recipe: Recipe, metres: np.ndarray, prediction: np.ndarray) -> list[str]:
    """Check the depth in metres, float32 [h, w], with the prediction that it is computed from."""
    if recipe.metric.kind in ('scale', 'affine'):
        return []
    known, finite = metres[np.isfinite(metres)], prediction[np.isfinite(prediction)]
    if not known.size or not finite.size:
        return []
    plain = recipe.metric.kind == 'metres' and recipe.quantity == 'depth'
    if plain and finite.min() >= 0 and finite.max() <= 1.0:
        return [
            'the prediction lies within 0 and 1, which is no range of metres: a last factor is '
            'missing (--affine 20,0 or 80,0), or a focal length (--metric focal:300:mean)'
        ]
    middle = float(np.median(known))
    if not 2 * recipe.depth_range[0] <= middle <= _LARGEST_METRES:
        return [f'the median depth is {middle:.3g} m: the metric rule is wrong (--metric)']
    return []


def check_near_and_far(recipe: Recipe, prediction: np.ndarray) -> list[str]:
    """Return a warning if the prediction, [height, width], is farther at the bottom of the photo.

    In most photos the ground is nearer at the bottom.
    """
    depth = -prediction if recipe.quantity == 'inverse_depth' else prediction
    rows = np.broadcast_to(np.arange(len(depth))[:, None], depth.shape)
    seen = np.isfinite(depth)
    if seen.sum() < 16:
        return []
    correlation = rank_correlation(rows[seen], depth[seen])
    if correlation < _SWAPPED:
        return []
    other = 'depth' if recipe.quantity == 'inverse_depth' else 'inverse_depth'
    return [
        f'near and far look swapped: depth grows downwards in the image (rank correlation '
        f'{correlation:.2f}): --quantity {other}?'
    ]


def check_size(size: tuple[int, int], map_size: tuple[int, int]) -> list[str]:
    """Compare the aspect ratios of input and prediction, both (width, height)."""
    x, y = size[0] / map_size[0], size[1] / map_size[1]
    if abs(x / y - 1) <= _ASPECT:
        return []
    return [
        f'the prediction of {map_size[0]}x{map_size[1]} does not follow the input of '
        f"{size[0]}x{size[1]}: its sizes are fixed inside; use --size with the export's own"
    ]


def check_aspect(
    infers_camera: bool, fit: str, size: tuple[int, int], camera_size: tuple[int, int]
) -> list[str]:
    """Compare the aspect ratio of the network with that of the camera, both (width, height)."""
    ratio = abs(math.log(size[0] / size[1] / (camera_size[0] / camera_size[1])))
    if ratio <= _ASPECT or not (infers_camera or (fit == 'stretch' and ratio > _STRETCH)):
        return []
    shapes = '{}x{} is not the shape of the camera, {}x{}'.format(*size, *camera_size)
    if infers_camera:
        return [f'{shapes}: a network that infers the camera from the image is wrong then']
    return [f'{shapes}: images are stretched by {100 * (math.exp(ratio) - 1):.0f} %']


def check_precision(network: ExportedNetwork, precision: str) -> list[str]:
    """Look for layer normalisations made of single operations, which overflow in FP16."""
    operations = network.operations()
    apart = {'ReduceMean', 'Sqrt'} <= operations and operations & {'Pow', 'Mul'}
    attention = 'Softmax' in operations and 'MatMul' in operations
    if precision != 'fp16' or network.opset >= _FP16_OPSET or not (apart and attention):
        return []
    return [
        f'opset {network.opset} has no LayerNormalization: in FP16 its parts can overflow. Export '
        f'with opset {_FP16_OPSET}, or adopt with --precision fp32'
    ]


def check_same(
    original: np.ndarray, wrapped: np.ndarray, what: str, tolerance: float = 0.01
) -> list[str]:
    """Compare two predictions: their correlation must be 0.999, their scale within `tolerance`.

    Parameters
    ----------
    original, wrapped : float32 of the same shape.
    what : begins the warning.
    tolerance : of the scale.
    """
    both = np.isfinite(original) & np.isfinite(wrapped)
    if np.isfinite(original).sum() != both.sum() or not both.any():
        share = 1 - both.sum() / max(np.isfinite(original).sum(), 1)
        if share > 0.02:
            return [f'{what}: {100 * share:.0f} % of the cells differ in whether they have a depth']
    a, b = original[both].astype(np.float64), wrapped[both].astype(np.float64)
    if not a.size:
        return []
    scale = float((a * b).sum() / max((a * a).sum(), 1e-30))
    alike = float(np.abs(a - b).max()) <= 1e-3 * float(np.abs(a).max())
    correlation = 1.0 if alike else float(np.corrcoef(a, b)[0, 1])
    if alike or (correlation > 0.999 and abs(scale - 1) < tolerance):
        return []
    return [f'{what}: correlation {correlation:.4f}, scale {scale:.3f}']


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return Spearman's rank correlation of two flat arrays; 0 if one is constant."""
    ranks = [_ranks(values) for values in (a, b)]
    if min(float(np.std(each)) for each in ranks) == 0:
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return the rank of each value; equal ones share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[inverse.ravel()], np.float64)


def focal_response(metric: Metric, metres: np.ndarray, focal: float) -> str:
    """Return a note on how the metres change with the focal length."""
    middle = float(np.nanmedian(metres)) if np.isfinite(metres).any() else math.nan
    return (
        f'{metric}: half of this photo is nearer than {middle:.2f} m at a focal length of '
        f'{focal:.0f} network pixels, and than {2 * middle:.2f} m at twice that'
    )
