# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where a training runs."""

import pytest

torch = pytest.importorskip('torch', reason='training needs torch')

from msdepth_ros.errors import MsdepthError  # noqa: E402
from msdepth_ros.training.devices import choose_device, joined  # noqa: E402


def test_auto_is_a_gpu_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    assert choose_device('auto', None) == torch.device('cpu')
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch, 'empty', lambda *_, device: None)
    assert choose_device('auto', None) == torch.device('cuda')


def test_each_process_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch, 'empty', lambda *_, device: None)
    assert choose_device('cuda', 1) == torch.device('cuda:1')
    assert choose_device('cuda:3', 1) == torch.device('cuda:3')
    assert choose_device('cpu', 1) == torch.device('cpu')


@pytest.mark.parametrize('name', ['gpu', 'cuda:99', '', 'meta:x'])
def test_a_device_that_is_not_there(name):
    with pytest.raises(MsdepthError, match=f"device '{name}' cannot be used .*--device cpu"):
        choose_device(name, None)


def test_alone_there_is_nobody_to_meet():
    with joined('cpu') as device:
        assert device == torch.device('cpu')
        assert not torch.distributed.is_initialized()


def test_others_that_cannot_be_met(monkeypatch):
    for name, value in {
        'TORCHELASTIC_RUN_ID': 'x', 'LOCAL_RANK': '0', 'RANK': '0', 'WORLD_SIZE': '2',
        'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': 'none',
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    with pytest.raises(MsdepthError, match='cannot meet the other processes'), joined('cpu'):
        pass
