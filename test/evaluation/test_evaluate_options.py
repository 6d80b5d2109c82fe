# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What `msdepth evaluate` can add to its table, and the formats it reads."""

import json

import cv2
import numpy as np
import pytest
from evaluate_command import evaluate
from folders import HEIGHT, WIDTH, write_folder
from formats import COLOR_TOPIC, DEPTH_TOPIC, INFO_TOPIC, write_bag, write_nyu, write_splits
from known_model import write_model

pytest.importorskip('onnx', reason='the test makes its own model with onnx')


def test_several_datasets_and_their_scenes(tmp_path, model, capsys):
    near, far = write_folder(tmp_path / 'near', 1), write_folder(tmp_path / 'far', 4)
    _, output = evaluate(capsys, near, far, '--model', model, '--json', '--by-scene')
    result = json.loads(output.out)
    assert result['frames'] == 5
    assert list(result['scenes']) == ['far', 'near']
    assert result['scenes']['near']['pooled']['abs_rel'] == 1.0
    assert result['scenes']['far']['frames'] == 4
    expected = np.mean([1, 0, 1 / 3, 1 / 2])  # 2 m for 1, 2, 3 and 4 m
    assert result['scenes']['far']['pooled']['abs_rel'] == pytest.approx(expected, abs=1e-4)
    _, output = evaluate(capsys, near, far, '--model', model, '--by-scene')
    lines = [line.split() for line in output.out.splitlines()]
    assert ['near', '1', '1.0000'] in [line[:3] for line in lines]
    assert lines[-2][0] == 'near'  # the worst first
    assert lines[-1][0] == 'far'


def test_scenes_of_a_folder(tmp_path, model, capsys):
    folder = write_folder(tmp_path / 'set', 3)
    (folder / 'scenes.csv').write_text('0000,kitchen\n0002,kitchen\n')
    _, output = evaluate(capsys, folder, '--model', model, '--json', '--by-scene')
    scenes = json.loads(output.out)['scenes']
    assert {name: scene['frames'] for name, scene in scenes.items()} == {
        '(no scene)': 1,
        'kitchen': 2,
    }


def test_each_frames_own_intrinsics_count(tmp_path, model, capsys):
    """Frame 1 is of half the size, and half the focal length of its size: 1 m where 2 m is true."""
    folder = write_folder(tmp_path / 'set', 2)
    (folder / 'camera.yaml').unlink()
    for part, value in (('rgb', 90), ('depth', 2000)):
        kind = np.uint8 if part == 'rgb' else np.uint16
        for index, shape in ((0, (HEIGHT, WIDTH)), (1, (HEIGHT // 2, WIDTH // 2))):
            cv2.imwrite(str(folder / part / f'{index:04}.png'), np.full(shape, value, kind))
    own = {'fx': 130, 'fy': 130, 'cx': 79.5, 'cy': 59.5, 'width': WIDTH, 'height': HEIGHT}
    other = {'fx': 32.5, 'fy': 32.5, 'cx': 39.5, 'cy': 29.5, 'width': 80, 'height': 60}
    (folder / 'camera.json').write_text(json.dumps({**own, 'frames': {'0001': other}}))
    _, output = evaluate(capsys, folder, '--model', model, '--json')
    assert json.loads(output.out)['per_image']['abs_rel'] == pytest.approx(0.25)


def test_near_depths_have_their_own_line(tmp_path, model, capsys):
    folder = write_folder(tmp_path / 'set', 2)
    depth = np.full((HEIGHT, WIDTH), 4000, np.uint16)
    depth[:30] = 500
    cv2.imwrite(str(folder / 'depth/0000.png'), depth)
    _, output = evaluate(capsys, folder, '--model', model, '--json', '--near', '1')
    near = json.loads(output.out)['near']
    assert near['frames'] == 1
    assert near['pooled']['abs_rel'] == pytest.approx(3.0)  # 2 m for 0.5 m
    _, output = evaluate(capsys, folder, '--model', model, '--near', '1')
    assert any(line.startswith('nearer than 1 m ') for line in output.out.splitlines())
    _, output = evaluate(capsys, folder, '--model', model, '--near', '0.4')
    assert 'no depth is nearer than 0.4 m' in output.out


def test_near_depths_are_scaled_by_the_whole_frames_median(tmp_path, model, capsys):
    folder = write_folder(tmp_path / 'set', 1)
    depth = np.full((HEIGHT, WIDTH), 4000, np.uint16)
    depth[:30] = 500
    cv2.imwrite(str(folder / 'depth/0000.png'), depth)
    arguments = ('--model', model, '--json', '--near', '1', '--median-scaling')
    _, output = evaluate(capsys, folder, *arguments)
    assert json.loads(output.out)['near']['pooled']['abs_rel'] == pytest.approx(7.0)  # 4 for 0.5


def test_every_third_frame(tmp_path, model, capsys):
    folder = write_folder(tmp_path / 'set', 5)  # 1 to 5 m; frames 0 and 3 are of 1 m and 4 m
    _, output = evaluate(capsys, folder, '--model', model, '--json', '--every', '3')
    result = json.loads(output.out)
    assert result['frames'] == 2
    assert result['pooled']['abs_rel'] == pytest.approx(0.75)


def test_worst_frames_are_written_worst_first(tmp_path, model, capsys):
    folder = write_folder(tmp_path / 'set', 5)  # relative errors 1, 0, 1/3, 1/2, 3/5
    out = tmp_path / 'new/worst'
    arguments = ('--model', model, '--json', '--worst', '2', '--out', out)
    _, output = evaluate(capsys, folder, *arguments)
    worst = json.loads(output.out)['worst']
    assert [frame['name'] for frame in worst] == ['0000', '0004']
    assert worst[0]['abs_rel'] == 1.0
    assert sorted(path.name for path in out.iterdir()) == ['01_0000.jpg', '02_0004.jpg']
    assert [frame['picture'] for frame in worst] == sorted(map(str, out.iterdir()))
    picture = cv2.imread(worst[0]['picture'])
    assert picture.shape == (28 + 360, 4 * 480, 3)
    blue, green, red = picture[200, 3 * 480 + 240].tolist()  # 2 m for 1 m: too far
    assert red > 200 > 80 > max(blue, green)


def test_robustness_reports_the_errors_after_each_change(tmp_path, capsys):
    model = write_model(tmp_path, offset=0.0, per_level=0.02)  # grey of 100 is 2 m
    folder = write_folder(tmp_path / 'set', 2)
    for index in (0, 1):
        grey = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
        cv2.imwrite(str(folder / f'rgb/{index:04}.png'), grey)
        cv2.imwrite(
            str(folder / f'depth/{index:04}.png'), np.full((HEIGHT, WIDTH), 2000, np.uint16)
        )
    arguments = ('--model', model, '--json', '--robustness')
    code, output = evaluate(capsys, folder, *arguments)
    assert code == 0
    rows = json.loads(output.out)['robustness']
    error = {name: row['pooled']['abs_rel'] for name, row in rows.items()}
    assert error['as it is'] == 0
    assert error['exposure +1 EV'] == pytest.approx(2 ** (1 / 2.2) - 1, abs=0.01)
    assert error['exposure -2 EV'] == pytest.approx(1 - 2 ** (-2 / 2.2), abs=0.01)
    assert max(error[name] for name in error if name.startswith('blur')) < 0.005
    assert len(rows) == 18
    assert {row['frames'] for row in rows.values()} == {2}
    _, output = evaluate(capsys, folder, '--model', model, '--robustness')
    assert any(line.startswith('noise 40 levels ') for line in output.out.splitlines())


@pytest.mark.parametrize('split', [None, 'train', 'test'])
def test_the_labelled_set_by_its_split(tmp_path, model, capsys, split):
    pytest.importorskip('h5py', reason='the labelled set is HDF5')
    pytest.importorskip('scipy', reason='its split is a MATLAB 5 file')
    path = write_nyu(tmp_path / 'nyu')  # 1 to 4 m
    write_splits(path.parent, train=[1, 4], test=[2, 3])
    arguments = [] if split is None else ['--split', split]
    common = (path, '--model', model, '--json', '--intrinsics', '26,26,15.5,11.5')
    _, output = evaluate(capsys, *common, *arguments)
    result = json.loads(output.out)
    assert result['frames'] == (4 if split is None else 2)
    expected = {None: [1, 0, 1 / 3, 1 / 2], 'train': [1, 1 / 2], 'test': [0, 1 / 3]}[split]
    assert result['pooled']['abs_rel'] == pytest.approx(np.mean(expected), abs=1e-4)


def test_a_recording_with_its_topics_by_name(tmp_path, model, capsys):
    pytest.importorskip('rosbags', reason='recordings are read with it')
    bag = write_bag(tmp_path / 'walk')  # 1, 2 and 3 m; 55 of 64 pixels, as the model's 130 of 160
    topics = (
        *('--image-topic', COLOR_TOPIC, '--depth-topic', DEPTH_TOPIC),
        *('--camera-info-topic', INFO_TOPIC, '--format', 'rosbag'),
    )
    code, output = evaluate(capsys, bag, '--model', model, '--json', *topics)
    assert code == 0
    scale = 55 / 64 / (130 / 160)
    expected = np.mean([abs(2 * scale - z) / z for z in (1, 2, 3)])
    assert json.loads(output.out)['pooled']['abs_rel'] == pytest.approx(expected, abs=1e-3)
    code, output = evaluate(capsys, bag, '--model', model, '--image-topic', '/none')
    assert code == 2
    assert '(--image-topic)' in output.err


def test_another_runtime(tmp_path, model, capsys):
    pytest.importorskip('openvino', reason='the other runtime of a CPU')
    folder = write_folder(tmp_path / 'set', 2)
    out = ('--worst', '1', '--out', tmp_path / 'out')
    code, output = evaluate(
        capsys, folder, '--model', model, '--json', '--backend', 'openvino', *out
    )
    assert code == 0
    assert json.loads(output.out)['pooled']['abs_rel'] == pytest.approx(0.5, abs=1e-3)


def test_a_dataset_that_is_not_there(model, capsys):
    code, output = evaluate(capsys, 'nowhere', '--model', model)
    assert code == 2
    assert output.err == 'msdepth evaluate: nowhere does not exist\n'


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--crop', 'eigen'], f'these are {WIDTH}x{HEIGHT}: use --crop none'),
        (['--intrinsics', '1,2,3'], 'must be fx,fy,cx,cy'),
        (['--model', 'no_such'], "no model named 'no_such'"),
        (['--worst', '2'], '--worst needs --out DIR'),
        (['--worst', '-1'], '--worst must be 0 or more'),
        (['--worst', '1', '--out', '/dev/null/x'], 'cannot write /dev/null/x'),
        (['--backend', 'caffe'], "no backend named 'caffe'"),
        (['--every', '0'], '--every 1 or more'),
        (['--near', '0'], '--near is 0 but must be a distance'),
        (['--near', 'nan'], 'must be a distance'),
        (['--format', 'coco'], "format is 'coco' but must be one of nyu, tum, rosbag"),
        (['--format', 'kitti'], 'has no depth files: in KITTI they are'),
        (['--split', 'test'], 'only nyu has a split and raw depths'),
        (['--image-topic', '/image'], 'only rosbag has topics'),
        (['--depth-scale', '-5'], 'depth_scale is -5.0'),
        (['--depth-scale', '2'], 'so the unit is wrong: set depth_scale in'),
    ],
)
def test_mistakes_end_with_one_line_and_exit_code_2(tmp_path, model, capsys, arguments, message):
    folder = write_folder(tmp_path / 'set', 1)
    code, output = evaluate(capsys, folder, '--model', model, *arguments)
    assert code == 2
    assert message in output.err
    assert len(output.err.splitlines()) == 1
