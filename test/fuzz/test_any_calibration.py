# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Any file whatever is a calibration that can be used, or refused in one line."""

import functools
from pathlib import Path

import calibration_files as files
import pytest
from how_many import examples
from hypothesis import given
from hypothesis import strategies as st

from msdepth_ros.calibration import read_camera
from msdepth_ros.errors import CalibrationError
from msdepth_ros.geometry.plausibility import doubts

UINT32 = st.integers(0, 2**32 - 1)
TOKENS = st.sampled_from(
    [b'', b'0', b'-1', b'1e308', b'nan', b'.inf', b'[', b']', b'{', b'}', b':', b'\n', b'- ', b'"',
     b'!!python/object:a.b', b'&a', b'*a', b'<x>', b'</x>', b'%', b'=', b'\0', b'\xff', b'9' * 400]
)  # fmt: skip


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp('calibrations')


@functools.cache
def good(folder: Path, name: str) -> bytes:
    return files.write(folder, name).read_bytes()


def check(path: Path, data: bytes) -> bool:
    """Read a file; return whether it is a calibration."""
    path.write_bytes(data)
    try:
        camera = read_camera(path)
    except CalibrationError as error:
        text = str(error).replace(str(path), '')
        assert text.isprintable(), repr(text)
        assert 10 < len(text) < 700, text
        return False
    camera.check()
    assert doubts(camera).isprintable()
    return True


@examples(500)
@given(data=st.data())
def test_any_damage_of_any_calibration_file(folder: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(files.NAMES))
    changed = bytearray(good(folder, name))[:4000]
    for _ in range(data.draw(st.integers(0, 4))):
        start = data.draw(UINT32) % (len(changed) + 1)
        stop = start + data.draw(st.integers(0, 12))
        changed[start:stop] = data.draw(TOKENS | st.binary(max_size=4))
    if data.draw(st.integers(0, 9)) == 0:
        del changed[data.draw(UINT32) % (len(changed) + 1) :]
    check(folder / f'any_{name}', bytes(changed))


@examples(200)
@given(data=st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes(folder: Path, data: bytes) -> None:
    check(folder / 'any.yaml', data)


@pytest.mark.parametrize('name', files.NAMES)
def test_the_files_are_calibrations_before_they_are_damaged(folder: Path, name: str) -> None:
    assert check(folder / name, good(folder, name))
