# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Model descriptions: good ones are read exactly, every wrong key is named."""

import hashlib

import pytest
import yaml

from msdepth_ros.errors import ModelError
from msdepth_ros.inference import model as model_module
from msdepth_ros.inference.model import load_model, model_names

GOOD = {
    'name': 'mine',
    'onnx': 'mine.onnx',
    'input': {'name': 'image', 'width': 304, 'height': 228, 'channels': 'bgr'},
    'output': {'name': 'depth', 'width': 74, 'height': 55, 'quantity': 'log_depth'},
    'grid': {'origin': [5, 5.5], 'step': [4.0, 4.25]},
    'focal': 259.4,
    'depth_range': [0.3, 10],
    'licence': 'mine',
}


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a description with changes, given as {'a.b': value}."""

    def write_(changes=None, name='mine'):
        document = yaml.safe_load(yaml.safe_dump(GOOD))
        for key, value in (changes or {}).items():
            *parents, last = key.split('.')
            place = document
            for parent in parents:
                place = place[parent]
            if value is None:
                del place[last]
            else:
                place[last] = value
        path = tmp_path / f'{name}.yaml'
        path.write_text(yaml.safe_dump(document))
        return path

    return write_


def test_a_good_description(write, tmp_path):
    model = load_model(write())
    assert model.name == 'mine'
    assert model.onnx == tmp_path / 'mine.onnx'
    assert model.sha256 is None
    assert (model.input_name, model.input_size, model.channels) == ('image', (304, 228), 'bgr')
    assert (model.output_name, model.output_size) == ('depth', (74, 55))
    assert model.quantity == 'log_depth'
    assert (model.grid_origin, model.grid_step) == ((5.0, 5.5), (4.0, 4.25))
    assert model.focal == 259.4
    assert model.depth_range == (0.3, 10.0)
    assert model.document['licence'] == 'mine'


@pytest.mark.parametrize('focal', [0, 0.0])
def test_focal_0_means_no_scaling(write, focal):
    assert load_model(write({'focal': focal})).focal == 0


WRONG = {
    'name': [None, '', 7, ['a'], {}],
    'onnx': [None, '', 7, ['a'], {}],
    'sha256': [7, 'abc', 'z' * 64, ['a'], {}],
    'input': [None],
    'input.name': [None, '', 7, ['a'], {}],
    'input.width': [None, 1, 0, -304, 304.0, '304', True, [304], 8193, {}],
    'input.height': [None, 1, 0, -228, 228.5, '228', True, [228], 8193, {}],
    'input.channels': [None, '', 'RGB', 'rgba', 3, ['rgb']],
    'output': [None],
    'output.name': [None, '', 7, ['a']],
    'output.width': [None, 1, 74.0, '74', True],
    'output.height': [None, 1, 55.0, '55', True],
    'output.quantity': [None, '', 'disparity', 3],
    'grid': [None],
    'grid.origin': [None, 5, [5], [5, 5, 5], ['5', '5'], [float('nan'), 5], [True, 5], {}],
    'grid.step': [None, 4, [4], [4, 4, 4], [0, 4], [4, -4], [4, float('inf')], 'four'],
    'focal': [None, -1, float('nan'), float('inf'), 'long', True, [], [1, 2]],
    'focal_from': ['', 'fy', 3, ['fx']],
    'fit': ['', 'auto', 'letterbox', 3],
    'precision': ['', 'fp16', 16],
    'depth_range': [None, 10, [10], [0, 10], [10, 0.3], [1, 1], [-1, 10], [1, float('inf')], []],
}


@pytest.mark.parametrize(
    ('key', 'value'), [(key, value) for key, values in WRONG.items() for value in values]
)
def test_a_wrong_key_is_named_with_its_file(write, key, value):
    path = write({key: value})
    with pytest.raises(ModelError) as caught:
        load_model(path)
    assert str(path) in str(caught.value)
    assert f'`{key}' in str(caught.value)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('key', ['input', 'output', 'grid'])
@pytest.mark.parametrize('value', ['text', 7, ['a']])
def test_a_section_that_is_no_mapping_is_named(write, key, value):
    with pytest.raises(ModelError, match=f'key `{key}'):
        load_model(write({key: value}))


@pytest.mark.parametrize('text', ['', 'text', '- a', '7', 'name: [', 'a: 2026-13-45', '\x00'])
def test_a_file_that_is_no_description_is_named_in_one_line(text, tmp_path):
    path = tmp_path / 'bad.yaml'
    path.write_text(text)
    with pytest.raises(ModelError) as caught:
        load_model(path)
    assert str(path) in str(caught.value)
    assert '\n' not in str(caught.value)


def test_a_binary_file_is_no_description(tmp_path):
    path = tmp_path / 'bad.yaml'
    path.write_bytes(b'\xff\xfe\x80\x00')
    with pytest.raises(ModelError, match='cannot read the model description'):
        load_model(path)


# --- finding it ------------------------------------------------------------------------------


def test_the_onnx_file_stands_for_the_yaml_beside_it(write):
    path = write()
    assert load_model(path.with_suffix('.onnx')) == load_model(str(path))


def test_a_missing_description_says_that_one_is_needed(tmp_path):
    for name in ('missing.yaml', 'missing.onnx'):
        with pytest.raises(ModelError, match=r'there is no .*missing\.yaml'):
            load_model(tmp_path / name)
    with pytest.raises(ModelError, match='needs a YAML file beside it'):
        load_model(tmp_path / 'folder' / '..' / 'x.yml')


@pytest.fixture
def shipped(write, tmp_path, monkeypatch):
    (tmp_path / 'engines').mkdir()
    for name in ('one', 'two'):
        write({'name': name}, f'engines/{name}')
    monkeypatch.setattr(model_module, 'share_directory', lambda: tmp_path)
    return tmp_path / 'engines'


def test_shipped_models_go_by_their_names(shipped):
    assert model_names() == ['one', 'two']
    assert load_model('one').name == 'one'
    assert load_model('one').onnx == shipped / 'mine.onnx'


@pytest.mark.parametrize('name', ['three', '', 'one.txt', '../engines/one', 'a/one'])
def test_an_unknown_name_lists_the_shipped_ones(shipped, name):
    with pytest.raises(ModelError, match=f"no model named '{name}': shipped are one, two"):
        load_model(name)


def test_a_name_means_the_shipped_model_and_a_path_ones_own(shipped, write, tmp_path, monkeypatch):
    write({'name': 'own'}, 'one')
    monkeypatch.chdir(tmp_path)
    assert load_model('one').name == 'one'  # the name is the shipped model's
    assert load_model('one.yaml').name == 'own'
    assert load_model('./one.yaml').name == 'own'


# --- the ONNX file ---------------------------------------------------------------------------


@pytest.mark.parametrize('case', [str.lower, str.upper])
def test_the_right_sha256_is_taken(write, tmp_path, case):
    (tmp_path / 'mine.onnx').write_bytes(b'network')
    digest = hashlib.sha256(b'network').hexdigest()
    assert load_model(write({'sha256': case(digest)})).read_onnx() == b'network'


def test_a_wrong_sha256_is_refused_with_both(write, tmp_path):
    (tmp_path / 'mine.onnx').write_bytes(b'another')
    digest = hashlib.sha256(b'network').hexdigest()
    found = hashlib.sha256(b'another').hexdigest()
    with pytest.raises(ModelError, match=f'(?s){found}.*{digest}'):
        load_model(write({'sha256': digest})).read_onnx()


def test_a_missing_onnx_file_is_named(write, tmp_path):
    with pytest.raises(ModelError, match=r'cannot read .*mine\.onnx'):
        load_model(write()).read_onnx()
    (tmp_path / 'mine.onnx').mkdir()
    with pytest.raises(ModelError, match=r'cannot read .*mine\.onnx'):
        load_model(write()).read_onnx()


def test_the_home_of_an_unknown_user_is_no_model():
    with pytest.raises(ModelError, match="no model named '~nobody-of-that-name'"):
        load_model('~nobody-of-that-name')
