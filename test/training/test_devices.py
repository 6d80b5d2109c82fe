# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where a training runs."""

from types import SimpleNamespace

import pytest

torch = pytest.importorskip('torch', reason='training needs torch')

from msdepth_ros.errors import MsdepthError  # noqa: E402
from msdepth_ros.training.devices import choose_device, computes_bfloat16, joined  # noqa: E402
from msdepth_ros.training.objective import autocast  # noqa: E402


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


@pytest.mark.parametrize(
    ('capabilities', 'mixed'),
    [
        ({'avx2': True}, False),
        ({'avx512_bf16': False, 'amx_bf16': False}, False),
        ({'avx512_bf16': True, 'amx_bf16': False}, True),
        ({'avx512_bf16': False, 'amx_bf16': True}, True),
    ],
)
def test_a_cpu_without_instructions_for_bfloat16_trains_in_float32(
    monkeypatch, capabilities, mixed
):
    monkeypatch.setattr(torch.cpu, 'get_capabilities', lambda: capabilities)
    computes_bfloat16.cache_clear()
    device = torch.device('cpu')
    try:
        with autocast(device, SimpleNamespace(bfloat16=True)):
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == (
                torch.bfloat16 if mixed else torch.float32
            )
        with autocast(device, SimpleNamespace(bfloat16=False)):
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
    finally:
        computes_bfloat16.cache_clear()


def test_without_torchrun_no_process_group_is_created():
    with joined('cpu') as device:
        assert device == torch.device('cpu')
        assert not torch.distributed.is_initialized()


def test_other_processes_that_cannot_be_reached_are_reported(monkeypatch):
    for name, value in {
        'TORCHELASTIC_RUN_ID': 'x', 'LOCAL_RANK': '0', 'RANK': '0', 'WORLD_SIZE': '2',
        'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': 'none',
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    with pytest.raises(MsdepthError, match='cannot reach the other processes'), joined('cpu'):
        pass
