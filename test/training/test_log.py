# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The training's log: lines of JSON, TensorBoard's events, the newest picture sheets."""

import json
import shutil

import cv2
import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs torch')
pytest.importorskip('tensorboard', reason='training writes its log')

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: E402

from msdepth_ros.errors import MsdepthError  # noqa: E402
from msdepth_ros.training import log as log_module  # noqa: E402
from msdepth_ros.training.log import TrainingLog  # noqa: E402

SHEET = np.zeros((6, 8, 3), np.uint8)
SHEET[..., 0] = 200  # blue


def events_of(out):
    events = EventAccumulator(str(out / 'tensorboard'))
    events.Reload()
    return events


def run(out, steps, before=0, validate=10):
    """Log steps of 4 images whose loss is their number; return the lines of the validations."""
    log = TrainingLog(out, before)
    lines = []
    for step in range(1, steps + 1):
        images = before + 4 * step
        log.step(images, {'depth': step, 'features': 1.0}, 0.1 / step)
        if step % validate == 0:
            lines.append(log.validated(images, {'images': images}, {'a': {'rmse': 2.0}}, SHEET))
    log.close()
    return lines


def test_lines_hold_mean_losses_since_the_one_before(tmp_path):
    lines = run(tmp_path, 20)
    assert (tmp_path / 'log.jsonl').read_text().splitlines() == lines
    first, second = map(json.loads, lines)
    assert first['loss'] == {'depth': 5.5, 'features': 1.0}
    assert second['loss']['depth'] == 15.5
    assert second['validation'] == {'a': {'rmse': 2.0}}


def test_tensorboard_gets_losses_rate_speed_errors_and_sheets(tmp_path):
    run(tmp_path, 100, validate=100)
    events = events_of(tmp_path)
    assert [(e.step, e.value) for e in events.Scalars('loss/depth')] == [(200, 25.5), (400, 75.5)]
    assert events.Scalars('learning_rate')[0].value == pytest.approx(0.1 / 50)
    assert all(event.value > 0 for event in events.Scalars('images_per_second'))
    assert [(e.step, e.value) for e in events.Scalars('rmse/a')] == [(400, 2.0)]
    (image,) = events.Images('sheet')
    picture = cv2.imdecode(np.frombuffer(image.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(picture, SHEET)


def test_a_run_that_continues_drops_what_came_after_its_checkpoint(tmp_path):
    run(tmp_path, 100, validate=50)
    run(tmp_path, 50, before=200, validate=50)
    events = events_of(tmp_path)
    assert [(e.step, e.value) for e in events.Scalars('loss/depth')] == [(200, 25.5), (400, 25.5)]
    assert [event.step for event in events.Scalars('rmse/a')] == [200, 400]


def test_newest_sheets_are_kept(tmp_path):
    run(tmp_path, 80)
    names = sorted(path.name for path in (tmp_path / 'sheets').iterdir())
    assert names == [f'sheet_{images:09}.png' for images in (160, 200, 240, 280, 320)]
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / 'sheets' / names[0])), SHEET)


def test_a_full_disk_is_reported(tmp_path):
    (tmp_path / 'log.jsonl').symlink_to('/dev/full')
    with pytest.raises(MsdepthError, match=r'cannot write the log .*No space left.*--resume'):
        run(tmp_path, 10)


@pytest.mark.parametrize('steps', [0, 10])
def test_a_nearly_full_disk_is_reported_in_advance(tmp_path, monkeypatch, steps):
    rooms = [1 << 30] * bool(steps) + [1 << 20]
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: usage._replace(free=rooms.pop(0)))
    with pytest.raises(MsdepthError, match=r'cannot write the log .*No space left.*--resume'):
        run(tmp_path, steps)


def test_a_missing_sheet_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(log_module, '_STEPS', 1)
    log = TrainingLog(tmp_path, 0)
    log.step(4, {'depth': 1.0}, 0.1)
    log.validated(4, {}, {}, None)
    log.close()
    assert not (tmp_path / 'sheets').exists()
    assert events_of(tmp_path).Tags()['images'] == []
