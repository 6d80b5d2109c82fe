# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Any model file teaches: metric as it is, others fitted to the truth or to the student."""

import math
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch')

from oracle import write_depth_model  # noqa: E402
from tiny import Tiny  # noqa: E402
from torch import Tensor  # noqa: E402

from msdepth_ros.inference.model import load_model  # noqa: E402
from msdepth_ros.networks.depth_network import denormalise, normalise  # noqa: E402
from msdepth_ros.training.model_teacher import (  # noqa: E402
    ModelPredictions,
    ModelTeacher,
    load_model_teacher,
)
from msdepth_ros.training.teacher_alignment import aligned  # noqa: E402

SHAPE = (1, 1, 7, 10)  # of the student's grid


def truth() -> Tensor:
    rows = torch.arange(7.0).view(1, 1, 7, 1)
    return torch.log(4.0 - 0.4 * rows + 0.1 * torch.arange(10.0).view(1, 1, 1, 10))


def everywhere(value: bool) -> Tensor:
    return torch.full(SHAPE, value)


@pytest.mark.parametrize('by_truth', [True, False])
def test_a_teacher_up_to_a_factor_is_fitted(by_truth: bool):
    answer = truth() + math.log(2.5)
    target = torch.zeros(SHAPE) if by_truth else truth()
    found = aligned(
        answer,
        'scale',
        truth() if by_truth else torch.zeros(SHAPE),
        everywhere(by_truth),
        target,
    )
    torch.testing.assert_close(found, truth())


@pytest.mark.parametrize('by_truth', [True, False])
def test_a_teacher_up_to_scale_and_shift_is_fitted(by_truth: bool):
    answer = 7.0 * torch.exp(-truth()) - 1.5
    wrong = torch.full(SHAPE, 9.0)
    found = aligned(
        answer,
        'affine',
        truth() if by_truth else wrong,
        everywhere(by_truth),
        wrong if by_truth else truth(),
    )
    torch.testing.assert_close(found, truth(), atol=1e-3, rtol=0)


def test_outliers_of_the_truth_do_not_count():
    answer = 7.0 * torch.exp(-truth()) - 1.5
    told = truth()
    told[..., :2, :2] += 1.0
    found = aligned(answer, 'affine', told, everywhere(True), truth())
    assert (found - truth()).abs().max() < 0.05


def test_with_too_few_true_cells_the_teacher_is_fitted_to_the_student():
    answer = truth() + 1.0
    valid = everywhere(False)
    valid[..., :2, :5] = True
    found = aligned(answer, 'scale', torch.full(SHAPE, 5.0), valid, truth())
    torch.testing.assert_close(found, truth())


@pytest.mark.parametrize('answer', [torch.full(SHAPE, 0.3), torch.exp(truth())])
def test_a_constant_or_inverted_prediction_is_not_learned(answer: Tensor):
    assert aligned(answer, 'affine', truth(), everywhere(True), truth()).isnan().all()


def test_each_image_is_fitted_by_itself_and_what_is_nowhere_is_not_learned():
    answer = torch.cat([truth() + 1.0, truth() - 2.0, torch.full(SHAPE, math.nan)])
    answer[0, :, 0] = math.nan
    three = truth().repeat(3, 1, 1, 1)
    found = aligned(answer, 'scale', three, torch.ones_like(three, dtype=bool), three)
    learned = found.isfinite()
    torch.testing.assert_close(found[learned], three[learned])
    assert [int(each.sum()) for each in learned] == [60, 70, 0]


def test_no_gradient_goes_to_the_student_through_the_fit():
    student = truth().requires_grad_()
    found = aligned(truth() + 1.0, 'scale', truth(), everywhere(False), student)
    assert not found.requires_grad


def test_denormalise_undoes_normalise():
    image = torch.randint(0, 256, (2, 5, 6, 3), dtype=torch.uint8)
    assert torch.equal(denormalise(normalise(image)), image)


def model(folder: Path, **options: object) -> ModelTeacher:
    """Write a model of 2 + x / 40 metres at column x of 80; its grid is every fourth pixel."""
    path = write_depth_model(
        folder,
        lambda x, y: 2 + x / 40,
        input_size=(80, 60),
        output_size=(20, 15),
        origin=(1.5, 1.5),
        step=(4.0, 4.0),
        **options,
    )
    return ModelTeacher(load_model(path))


def answers(teacher: ModelTeacher, given: tuple[int, int] = (80, 60)) -> Tensor:
    student = Tiny()
    image = normalise(torch.zeros((2, given[1], given[0], 3), dtype=torch.uint8))
    two = torch.zeros((2, 1, 7, 10))
    return ModelPredictions(student, teacher, given)(image, two, two.bool(), two)


def expected() -> np.ndarray:
    """Return the depths of `model` at the cells of Tiny: its column x is the model's 2 x + 0.5."""
    u, _ = Tiny.grid.pixels()
    return 2 + ((2 * u + 0.5).clip(1.5, 77.5)) / 40


@pytest.mark.parametrize('given', [(80, 60), (160, 120)])
def test_a_metric_model_teaches_metres_at_the_students_focal_length(
    given: tuple[int, int], tmp_path: Path
):
    found = answers(model(tmp_path, focal=120.0), given)
    # The student's 30 pixels of 40 are 60 of the model's 80.
    np.testing.assert_allclose(np.exp(found[1, 0].numpy()), expected() * 60 / 120, rtol=2e-3)


def test_a_model_of_any_focal_length_teaches_its_metres(tmp_path: Path):
    found = answers(model(tmp_path, focal=0))
    np.testing.assert_allclose(np.exp(found[0, 0].numpy()), expected(), rtol=2e-3)


def test_what_the_file_says_of_itself(tmp_path: Path):
    path = write_depth_model(tmp_path, lambda x, y: 2 + x / 40)
    teacher, metadata = load_model_teacher(path)
    assert metadata['name'] == load_model(path).name
    assert metadata['license'] == 'unknown'
    assert len(metadata['sha256']) == 64
    assert teacher.kind == 'metric'
