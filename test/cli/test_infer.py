# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth infer` as a user runs it: files in, files out, one line for each mistake."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from oracle import write_depth_model
from patience import PATIENCE
from PIL import Image

from msdepth_ros.cli import main
from msdepth_ros.geometry.camera import Camera

ROOT = Path(__file__).resolve().parents[2]
FX, FY, CX, CY = 150.0, 155.0, 81.5, 58.25  # of the 160x120 images below
F0 = 250.0


def msdepth(*arguments):
    """Run `msdepth` in a process of its own, as its console script does."""
    code = 'import sys; from msdepth_ros.cli import main; sys.exit(main())'
    return subprocess.run(
        [sys.executable, '-c', code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture
def infer(capfd):
    """Run `msdepth infer` in this process, which is faster; what C code prints is seen too."""

    def run(*arguments):
        capfd.readouterr()
        code = main(['infer', *map(str, arguments)])
        return subprocess.CompletedProcess(arguments, code, *capfd.readouterr())

    return run


def assert_refused(result, *words):
    """Exit code 2 and one line on stderr that holds the words."""
    assert result.returncode == 2, result.stderr
    assert result.stderr.count('\n') == 1, result.stderr
    assert result.stderr.startswith('msdepth infer: ')
    for word in words:
        assert word in result.stderr


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    """A slanted surface with a hole: depth 1 + x/100, columns of cells 30 to 32 invalid."""

    def depth(x, y):
        return np.where((x > 123) & (x < 135), -1, 1 + x / 100)

    return write_depth_model(tmp_path_factory.mktemp('model'), depth, focal=F0)


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    """Three images of 160x120 with their calibration; the colour tells the column."""
    folder = tmp_path_factory.mktemp('dataset')
    (folder / 'rgb').mkdir()
    image = np.zeros((120, 160, 3), np.uint8)
    image[:] = np.arange(160, dtype=np.uint8)[:, None] * (0, 0, 1)  # red in BGR
    for name in ('a.png', 'b.png', 'c.jpg'):
        cv2.imwrite(str(folder / 'rgb' / name), image)
    (folder / 'camera.yaml').write_text(Camera.pinhole(160, 120, FX, FY, CX, CY).to_yaml())
    return folder


def expected_depth(column):
    """Return the depth at columns of the 160x120 image, where the surface is whole."""
    x = (column + 0.5) * 304 / 160 - 0.5
    return (1 + x / 100) * np.sqrt(FX * FY) * (304 / 160) / F0


@pytest.fixture(scope='module')
def answered(dataset, model, tmp_path_factory):
    out = tmp_path_factory.mktemp('out') / 'new' / 'folder'
    result = msdepth(
        'infer', dataset, '--out', out, '--model', model, '--format', 'npy,png,color,ply'
    )
    assert result.returncode == 0, result.stderr
    return out


def test_every_image_gets_every_format(answered):
    names = {f'{stem}{end}' for stem in 'abc' for end in ('.npy', '.png', '_color.png', '.ply')}
    assert {path.name for path in answered.iterdir()} == names


def test_npy_is_float32_metres_at_the_size_of_the_image(answered):
    depth = np.load(answered / 'a.npy')
    assert depth.dtype == np.float32
    assert depth.shape == (120, 160)
    cells = (5 + 4 * np.arange(74) + 0.5) * 160 / 304 - 0.5  # column of each cell's centre
    hole = (np.arange(160) >= cells[30] - 1) & (np.arange(160) <= cells[32] + 1)
    seen = (np.arange(160) > cells[0] - 1) & (np.arange(160) < cells[-1] + 1)
    assert np.isnan(depth[:, hole]).all()
    assert np.isnan(depth[:, ~seen]).all()
    assert not (depth == 0).any()
    known = seen & ~hole
    known[[*np.flatnonzero(hole)[[0, -1]] + (-2, 2)]] = False
    inner = np.isfinite(depth[60]) & known
    assert inner.sum() > 130
    # 1 / depth is not linear here: 3/8 of (4 / 100)^2 at the ends, where it is extrapolated
    np.testing.assert_allclose(depth[60, inner], expected_depth(np.flatnonzero(inner)), rtol=6e-4)


def test_png_is_16_bit_millimetres_with_0_for_nan(answered):
    depth = np.load(answered / 'b.npy')
    millimetres = cv2.imread(str(answered / 'b.png'), cv2.IMREAD_UNCHANGED)
    assert millimetres.dtype == np.uint16
    assert millimetres.shape == (120, 160)
    np.testing.assert_array_equal(millimetres == 0, np.isnan(depth))
    known = millimetres > 0
    np.testing.assert_allclose(millimetres[known] / 1000, depth[known], atol=0.00051)


def test_color_is_black_where_depth_is_nan(answered):
    color = cv2.imread(str(answered / 'c_color.png'))
    assert color.shape == (120, 160, 3)
    np.testing.assert_array_equal(~color.any(axis=-1), np.isnan(np.load(answered / 'c.npy')))


def read_ply(path):
    """Read a binary PLY by its own header."""
    header, _, body = path.read_bytes().partition(b'end_header\n')
    lines = header.decode().splitlines()
    assert lines[:2] == ['ply', 'format binary_little_endian 1.0']
    count = int(next(line for line in lines if line.startswith('element vertex')).split()[2])
    kinds = {'float': '<f4', 'uchar': 'u1'}
    properties = [line.split()[1:] for line in lines if line.startswith('property')]
    vertices = np.frombuffer(body, [(name, kinds[kind]) for kind, name in properties])
    assert len(vertices) == count
    return vertices


def test_ply_holds_the_points_of_the_grid_with_their_colours(answered):
    vertices = read_ply(answered / 'a.ply')
    assert vertices.dtype.names == ('x', 'y', 'z', 'red', 'green', 'blue')
    assert len(vertices) == (74 - 3) * 55
    assert np.isfinite(vertices['z']).all()
    u = vertices['x'] / vertices['z'] * FX + CX
    np.testing.assert_allclose(vertices['z'], expected_depth(u), rtol=1e-4)
    v = vertices['y'] / vertices['z'] * FY + CY
    rows = (5 + 4 * np.arange(55) + 0.5) * 120 / 228 - 0.5
    np.testing.assert_allclose(np.unique(v.round(3)), rows, atol=0.01)
    np.testing.assert_allclose(vertices['red'], u, atol=1.5)
    assert not vertices['green'].any()
    assert not vertices['blue'].any()


def test_camera_info_replaces_the_calibration_beside_the_images(dataset, model, tmp_path, infer):
    calibration = tmp_path / 'wide.yaml'
    calibration.write_text(Camera.pinhole(160, 120, FX / 2, FY / 2, CX, CY).to_yaml())
    image = dataset / 'rgb' / 'a.png'
    for name, options in (('plain', ()), ('wide', ('--camera-info', calibration))):
        result = infer(
            image, '--out', tmp_path / name, '--model', model, '--format', 'npy', *options
        )
        assert result.returncode == 0, result.stderr
        assert ('no calibration' in result.stdout) == (name == 'plain')
    plain, wide = (np.load(tmp_path / name / 'a.npy') for name in ('plain', 'wide'))
    scale = np.sqrt(FX * FY) / 2 * 304 / 160 / F0
    np.testing.assert_allclose(wide, plain * scale, rtol=1e-5)


def test_what_a_16_bit_png_cannot_hold_is_invalid_there(dataset, tmp_path, infer):
    far = write_depth_model(tmp_path, lambda x, y: 70 + 0 * x)
    image = dataset / 'rgb' / 'a.png'
    result = infer(image, '--out', tmp_path / 'out', '--model', far, '--format', 'npy,png')
    assert result.returncode == 0, result.stderr
    assert np.nanmax(np.load(tmp_path / 'out' / 'a.npy')) == 70
    assert not cv2.imread(str(tmp_path / 'out' / 'a.png'), cv2.IMREAD_UNCHANGED).any()


def test_a_video(model, tmp_path, infer):
    video = tmp_path / 'clip.avi'
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*'MJPG'), 10.0, (160, 120))
    if not writer.isOpened():
        pytest.skip('this OpenCV writes no video')
    for _ in range(3):
        writer.write(np.zeros((120, 160, 3), np.uint8))
    writer.release()
    result = infer(video, '--out', tmp_path, '--model', model, '--format', 'npy')
    assert result.returncode == 0, result.stderr
    names = sorted(path.name for path in tmp_path.glob('*.npy'))
    assert names == ['clip_000000.npy', 'clip_000001.npy', 'clip_000002.npy']


def test_a_truncated_video_is_processed_to_its_end(model, tmp_path, infer):
    video = tmp_path / 'clip.avi'
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*'MJPG'), 10.0, (160, 120))
    if not writer.isOpened():
        pytest.skip('this OpenCV writes no video')
    noise = np.random.default_rng(0)
    for _ in range(20):
        writer.write(noise.integers(0, 256, (120, 160, 3), np.uint8))
    writer.release()
    content = video.read_bytes()
    video.write_bytes(content[: len(content) // 2])
    result = infer(video, '--out', tmp_path, '--model', model, '--format', 'npy')
    assert result.returncode == 2
    assert re.search(r'clip\.avi is (damaged or )?truncated', result.stderr)
    assert 5 <= len(list(tmp_path.glob('*.npy'))) < 15


def test_one_bad_image_among_many_is_reported_and_the_others_are_processed(
    model, dataset, tmp_path, infer
):
    shutil.copytree(dataset, tmp_path / 'set')
    whole = (dataset / 'rgb' / 'a.png').read_bytes()
    for name, content in (('a2.png', b''), ('b2.jpg', b'no image'), ('b3.png', whole[:300])):
        (tmp_path / 'set' / 'rgb' / name).write_bytes(content)
    out = tmp_path / 'out'
    result = infer(tmp_path / 'set', '--out', out, '--model', model, '--format', 'npy')
    assert result.returncode == 2
    assert sorted(path.name for path in out.iterdir()) == ['a.npy', 'b.npy', 'c.npy']
    *bad, last = result.stderr.splitlines()
    assert len(bad) == 3
    for line, name in zip(bad, ('a2.png', 'b2.jpg', 'b3.png'), strict=True):
        assert line.startswith('msdepth infer: ')
        assert name in line
    assert 'images written: 3, errors: 3' in last


def test_results_of_nested_folders_are_in_folders_of_the_same_names(
    model, dataset, tmp_path, infer
):
    image = (dataset / 'rgb' / 'a.png').read_bytes()
    for name in ('x/1.png', 'x/y/1.png', '.hidden/1.png', '__MACOSX/x/._1.png', '._2.png'):
        (tmp_path / 'in' / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / 'in' / name).write_bytes(image)
    out = tmp_path / 'in' / 'depth'
    for _ in range(2):  # what is there from the first time is no input
        result = infer(tmp_path / 'in', '--out', out, '--model', model)
        assert result.returncode == 0, result.stderr
        written = sorted(path.relative_to(out).as_posix() for path in out.rglob('*.*'))
        assert written == ['x/1.npy', 'x/1_color.png', 'x/y/1.npy', 'x/y/1_color.png']


def test_names_that_are_not_utf_8_and_other_odd_ones(model, dataset, tmp_path):
    image = (dataset / 'rgb' / 'a.png').read_bytes()
    names = [
        b'caf\xe9',
        b'\xff\xfe',
        b'two  words',
        'größe 深度 🤖'.encode(),
        b'-dash',
        b'a.b.c',
        b'%d',
    ]
    folder = tmp_path / os.fsdecode(b'\xe4 folder')
    folder.mkdir()
    for name in names:
        (folder / os.fsdecode(name + b'.png')).write_bytes(image)
    out = tmp_path / os.fsdecode(b'\xf6ut')
    result = msdepth('infer', folder, '--out', out, '--model', model)
    assert result.returncode == 0, result.stderr
    written = {bytes(path.name, 'utf-8', 'surrogateescape') for path in out.iterdir()}
    assert written == {name + end for name in names for end in (b'.npy', b'_color.png')}
    (folder / os.fsdecode(b'bad \xe9.png')).write_bytes(b'no image')
    result = msdepth('infer', folder, '--out', out, '--model', model)
    assert result.returncode == 2
    assert 'is not an image' in result.stderr
    assert 'Traceback' not in result.stderr


def test_a_photo_gets_its_metres_by_the_focal_length_in_its_exif_data(model, tmp_path, infer):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 26  # mm on 35 mm film
    for name in ('a.jpg', 'b.jpg'):
        Image.new('RGB', (160, 120)).save(tmp_path / name, exif=exif)
    result = infer(tmp_path, '--out', tmp_path / 'out', '--model', model, '--format', 'npy,ply')
    assert result.returncode == 0, result.stderr
    focal = 26 / np.hypot(36, 24) * 200
    assert result.stdout.count('EXIF') == 1
    assert f'{focal:.0f} pixels' in result.stdout
    assert 'scale of the camera' not in result.stdout
    depth = np.load(tmp_path / 'out' / 'a.npy')
    x = (20 + 0.5) * 304 / 160 - 0.5
    assert depth[60, 20] == pytest.approx((1 + x / 100) * focal * (304 / 160) / F0, rel=1e-3)


@pytest.mark.parametrize('upright', [False, True])
def test_the_result_of_a_photo_is_upright_also_with_a_calibration_of_stored_images(
    model, tmp_path, infer, upright
):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (160, 120)).save(tmp_path / 'a.jpg', exif=exif)
    size = (120, 160) if upright else (160, 120)
    path = tmp_path / 'camera.yaml'
    path.write_text(Camera.pinhole(*size, 150.0, 150.0, size[0] / 2, size[1] / 2).to_yaml())
    options = ('--camera-info', path, '--model', model, '--format', 'npy,ply')
    result = infer(tmp_path / 'a.jpg', '--out', tmp_path / 'out', *options)
    assert result.returncode == 0, result.stderr
    assert np.load(tmp_path / 'out' / 'a.npy').shape == (160, 120)


def test_the_backend_is_closed_and_each_image_upsampled_once(
    model, dataset, tmp_path, infer, monkeypatch
):
    from msdepth_ros.geometry.upsampling import Upsampler
    from msdepth_ros.inference.backends import onnxruntime

    closed, upsampled = [], []
    backend, upsample = onnxruntime.OnnxRuntimeBackend, Upsampler.__call__

    def count(*arguments):
        upsampled.append(1)
        return upsample(*arguments)

    monkeypatch.setattr(backend, 'close', lambda self: closed.append(1))
    monkeypatch.setattr(Upsampler, '__call__', count)
    options = ('--model', model, '--backend', 'onnxruntime', '--format')
    for formats, code in (('npy,png,color,ply,confidence', 0), ('ply', 2)):
        closed.clear()
        image = dataset if code == 0 else dataset / 'rgb' / 'a.png'
        result = infer(image, '--out', tmp_path, *options, formats)
        assert result.returncode == code, result.stderr
        assert closed == [1]
    assert len(upsampled) <= 4


# --- mistakes --------------------------------------------------------------------------------


@pytest.mark.parametrize('url', ['http://host/a.jpg', 'https://host/v.mp4', 'rtsp://camera/stream'])
def test_a_url_is_refused_with_the_remedy(model, tmp_path, infer, url):
    result = infer(url, '--out', tmp_path, '--model', model)
    assert_refused(result, url, 'download it first')


def test_a_missing_image(model, tmp_path):
    result = msdepth('infer', tmp_path / 'missing.png', '--out', tmp_path, '--model', model)
    assert_refused(result, 'missing.png', 'does not exist')


@pytest.mark.parametrize('name', ['damaged.png', 'damaged.jpg', 'damaged.mp4', 'damaged.txt'])
def test_a_damaged_image(model, tmp_path, name, infer):
    start = {'png': b'\x89PNG\r\n\x1a\n', 'jpg': b'\xff\xd8\xff\xe0'}.get(name[-3:], b'')
    (tmp_path / name).write_bytes(start + b'rubbish' * 20)
    result = infer(tmp_path / name, '--out', tmp_path / 'out', '--model', model)
    assert_refused(result, name)


def test_a_truncated_image(model, dataset, tmp_path, infer):
    whole = (dataset / 'rgb' / 'a.png').read_bytes()
    (tmp_path / 'half.png').write_bytes(whole[: len(whole) // 2])
    result = infer(tmp_path / 'half.png', '--out', tmp_path / 'out', '--model', model)
    assert_refused(result, 'half.png', 'damaged')


@pytest.mark.parametrize('formats', ['bmp', 'npy,tiff', '', ',', 'NPY'])
def test_an_unknown_format(model, dataset, tmp_path, formats, infer):
    result = infer(dataset, '--out', tmp_path, '--model', model, '--format', formats)
    assert_refused(result, '--format', 'npy,png,color,ply')
    assert not list(tmp_path.iterdir())


def test_an_out_that_is_a_file(model, dataset, tmp_path, infer):
    (tmp_path / 'file').touch()
    result = infer(dataset, '--out', tmp_path / 'file', '--model', model)
    assert_refused(result, 'file')


@pytest.mark.skipif(
    not Path('/proc/self').is_dir(), reason='no folder at hand that root cannot write'
)
@pytest.mark.parametrize('format_', ['npy', 'png', 'color', 'ply'])
def test_an_out_that_cannot_be_written(model, dataset, format_):
    result = msdepth('infer', dataset, '--out', '/proc/self', '--model', model, '--format', format_)
    assert_refused(result, 'cannot write', '/proc/self')


def test_an_unknown_model(dataset, tmp_path, infer):
    result = infer(dataset, '--out', tmp_path, '--model', 'nonsense')
    assert_refused(result, "no model named 'nonsense'")
    result = infer(dataset, '--out', tmp_path, '--model', tmp_path / 'none.yaml')
    assert_refused(result, 'none.yaml')


def test_an_unknown_backend(model, dataset, tmp_path, infer):
    result = infer(dataset, '--out', tmp_path, '--model', model, '--backend', 'abacus')
    assert_refused(result, "'abacus'", 'onnxruntime')


@pytest.mark.parametrize('content', [None, '', 'image_width: 160', 'rubbish: ['])
def test_a_bad_calibration(model, dataset, tmp_path, content, infer):
    path = tmp_path / 'camera.yaml'
    if content is not None:
        path.write_text(content)
    result = infer(dataset, '--out', tmp_path / 'out', '--model', model, '--camera-info', path)
    assert_refused(result, str(path))


def test_a_calibration_of_another_aspect(model, dataset, tmp_path, infer):
    path = tmp_path / 'camera.yaml'
    path.write_text(Camera.pinhole(1280, 720, 900.0, 900.0, 640.0, 360.0).to_yaml())
    result = infer(dataset, '--out', tmp_path / 'out', '--model', model, '--camera-info', path)
    assert_refused(result, '160x120', '1280x720')


def test_a_cloud_without_calibration(model, dataset, tmp_path, infer):
    image = dataset / 'rgb' / 'a.png'
    result = infer(image, '--out', tmp_path, '--model', model, '--format', 'ply')
    assert_refused(result, '--camera-info')


def test_two_images_of_one_name_do_not_overwrite_each_other(model, dataset, tmp_path, infer):
    other = tmp_path / 'other'
    other.mkdir()
    (other / 'a.png').write_bytes((dataset / 'rgb' / 'a.png').read_bytes())
    result = infer(dataset, other, '--out', tmp_path / 'out', '--model', model)
    assert_refused(result, "'a'")


def test_the_input_is_never_overwritten(model, dataset, tmp_path, infer):
    image = tmp_path / 'a.png'
    before = (dataset / 'rgb' / 'a.png').read_bytes()
    image.write_bytes(before)
    result = infer(image, '--out', tmp_path, '--model', model, '--format', 'png')
    assert_refused(result, 'a.png')
    assert image.read_bytes() == before
