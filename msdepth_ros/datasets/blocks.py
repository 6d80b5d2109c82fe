# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Splits a sequence so that neighbours stay together."""


def split_in_blocks(count: int, blocks: int, share: float) -> tuple[list[int], list[int]]:
    """Split the indices of a sequence into training and validation, block by block.

    Neighbouring frames often show the same room, so a random split would validate on rooms that
    were trained on. The sequence is cut into `blocks` equal parts and the middle `share` of each
    is held out.

    Returns
    -------
    (training, validation) indices, ascending.

    """
    if blocks < 1 or not 0 <= share < 1:
        raise ValueError(
            f'{blocks} blocks, a share of {share}: need at least 1, and 0 <= share < 1'
        )
    validation: list[int] = []
    for block in range(blocks):
        start, end = count * block // blocks, count * (block + 1) // blocks
        size = round((end - start) * share)
        first = start + (end - start - size) // 2
        validation.extend(range(first, first + size))
    held_out = set(validation)
    return [i for i in range(count) if i not in held_out], validation
