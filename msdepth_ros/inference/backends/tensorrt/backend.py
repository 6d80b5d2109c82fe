# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""NVIDIA TensorRT: the backend for GPUs and Jetsons. Its engine is from the cache, or built now."""

import hashlib
import logging
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from msdepth_ros.errors import BackendError
from msdepth_ros.inference.backends.base import Backend
from msdepth_ros.inference.backends.precision import check_precision
from msdepth_ros.inference.backends.self_check import check_engine
from msdepth_ros.inference.backends.tensorrt.api import TensorRt, check_installed, import_tensorrt
from msdepth_ros.inference.backends.tensorrt.cuda import CudaDevice
from msdepth_ros.inference.backends.tensorrt.engine_builder import build_engine
from msdepth_ros.inference.backends.tensorrt.engine_cache import EngineCache
from msdepth_ros.inference.backends.tensorrt.engine_key import EngineKey
from msdepth_ros.inference.backends.tensorrt.engine_options import (
    ENGINE_PRECISIONS,
    EngineOptions,
    Progress,
)
from msdepth_ros.inference.backends.tensorrt.session import (
    BadPlanError,
    TensorRtSession,
    count_half_products,
)
from msdepth_ros.inference.model import Model

_logger = logging.getLogger(__name__)


class TensorRtBackend(Backend):
    """Runs a model as a TensorRT engine.

    It belongs to the thread that created it. `inputs` and `outputs` are page-locked.

    Parameters
    ----------
    model : the model to load.
    precision : 'fp16', 'fp32', or 'auto': FP16 unless it fails the self-check, then FP32.
    options : where engines are kept and how they are built.
    progress : called while an engine is built.

    Attributes
    ----------
    details : facts about the engine, for diagnostics: its origin, where it is kept ('' = nowhere),
        sizes, self-check.

    Raises
    ------
    TensorRtMissingError
        If TensorRT or pycuda is not installed.
    BackendError
        If there is no GPU, or it or TensorRT fails; the message says what to do.
    ModelError
        If the model cannot be used.
    """

    name = 'tensorrt'

    def __init__(
        self,
        model: Model,
        precision: str = 'auto',
        options: EngineOptions | None = None,
        progress: Progress | None = None,
    ) -> None:
        check_precision(precision, 'TensorRT', ENGINE_PRECISIONS)
        super().__init__(model)
        self._options = options or EngineOptions()
        self._progress = progress
        self._session: TensorRtSession | None = None
        check_installed()
        self._cuda = CudaDevice()
        try:
            self._api = import_tensorrt()  # after the GPU was found, as it takes a second
            self._api.check_runs_on(self._cuda.capability, self._cuda.name)
            self._start('fp16' if precision == 'auto' else precision, precision == 'auto')
        except BaseException:
            self.close()
            raise

    def run(self) -> None:
        """Compute `outputs` from `inputs`; raises BackendError if the GPU fails."""
        if self._session is None:
            raise BackendError(f'the engine of {self.model.name} was closed')
        self._session.run()

    def close(self) -> None:
        """Free the GPU; `inputs` and `outputs` become copies of what they were."""
        if self._session is not None:
            # Page-locked memory must be freed before the context, but others may hold the arrays.
            self.inputs = {role: each.copy() for role, each in self._session.inputs.items()}
            self.outputs = {role: each.copy() for role, each in self._session.outputs.items()}
            with suppress(BackendError):  # the GPU may be lost
                self._session.close()
            self._session = None
        self._cuda.close()

    def _start(self, precision: str, may_fall_back: bool) -> None:
        session, facts = self._obtain(precision)
        wrong = _what_is_wrong(facts, precision)
        if wrong:
            self._session = None
            session.close()
            refused = f'the {precision.upper()} engine of {self.model.name} is refused: {wrong}'
            if precision == 'fp32':
                raise BackendError(f'{refused}. Set the parameter `backend` to onnxruntime')
            if not may_fall_back:
                raise BackendError(f'{refused}. Set the parameter `precision` to auto or fp32')
            _logger.warning('%s; the FP32 engine is used instead', refused)
            self._start('fp32', False)
            self.details['fp16_refused'] = wrong
            return
        self.precision = precision
        self.device = f'{self._cuda.name} ({self._cuda.capability}), {self._api.title}'
        self.details = {**facts, 'cuda_graph': session.uses_graph, 'driver': self._cuda.driver}
        self.inputs, self.outputs = session.inputs, session.outputs

    def _obtain(self, precision: str) -> tuple[TensorRtSession, dict[str, Any]]:
        """Return a session and its facts: of the engine in the cache, or of one built now."""
        cache = EngineCache(self._options.cache_dir)
        key = engine_key(
            self._api,
            self.model,
            precision,
            self._cuda.capability,
            '' if self._api.is_rtx else self._cuda.name,
        )
        if not self._options.force_update:
            found = self._from_cache(cache, key)
            if found is not None:
                return found
        if self._options.must_keep:
            cache.check_takes(self.model.name)
        with cache.lock(key, self._progress) as another_built:
            if another_built and not self._options.force_update:
                found = self._from_cache(cache, key)
                if found is not None:
                    return found
            built = build_engine(
                self._api,
                self.model,
                precision,
                target=self._api.target_of(self._cuda.capability),
                workspace=self._options.workspace,
                timing_cache=cache.load_timings(key),
                progress=self._progress,
            )
            session = self._open(built.plan)
            facts = self._examine(session, built.facts)
            kept = self._store(cache, key, built.plan, facts)
            cache.store_timings(key, built.timing_cache)
        place = str(cache.path(key)) if kept else ''
        return session, {**facts, 'origin': 'built now', 'kept': place}

    def _from_cache(
        self, cache: EngineCache, key: EngineKey
    ) -> tuple[TensorRtSession, dict[str, Any]] | None:
        cached = cache.load(key)
        if cached is None:
            return None
        try:
            session = self._open(cached.plan)
        except BadPlanError as error:
            _logger.warning('engine %s is not used: %s', cache.path(key), error)
            return None
        facts = cached.facts
        if 'self_check' not in facts:  # it was built ahead of time, on a machine without this GPU
            facts = self._examine(session, facts)
            try:
                cache.note(key, facts)
            except BackendError as error:
                _logger.info('%s. Until then the self-check is repeated at each start', error)
        place = str(cache.path(key))
        return session, {**facts, 'origin': f'cache: {place}', 'kept': place}

    def _store(
        self, cache: EngineCache, key: EngineKey, plan: bytes, facts: dict[str, Any]
    ) -> bool:
        """Keep an engine, if it can be written; return whether it was."""
        try:
            cache.store(key, plan, facts)
        except BackendError as error:
            if self._options.must_keep:
                raise
            _logger.error('%s. It runs from memory; the next start builds it again', error)
            return False
        return True

    def _open(self, plan: bytes) -> TensorRtSession:
        options = self._options
        self._session = TensorRtSession(self._api, self._cuda, self.model, plan, options.cuda_graph)
        return self._session

    def _examine(self, session: TensorRtSession, facts: dict[str, Any]) -> dict[str, Any]:
        """Add the facts that need a running engine: its layers and the self-check."""
        layers = session.layers()
        check = check_engine(self.model, session.inputs, session.outputs, session.run)
        _logger.info('self-check of %s against FP32: %s', self.model.name, check)
        products, half = count_half_products(layers)
        shown_by = [*facts['fp16_by'], *(['layers'] if 2 * half > products else [])]
        return {
            **facts,
            'layers': len(layers),
            'product_layers': products,
            'fp16_product_layers': half,
            'fp16_by': shown_by,
            'self_check': {**asdict(check), 'passed': check.passed},
        }


def _what_is_wrong(facts: dict[str, Any], precision: str) -> str:
    """Return why an engine must not be used; '' = it may be used."""
    check = facts['self_check']
    if not check['passed']:
        return (
            f'its relative error against ONNX Runtime in FP32 is {check["mean_error"]:.2%} mean, '
            f'{check["max_error"]:.2%} largest'
        )
    if precision == 'fp16' and not facts['fp16_by']:
        return (
            f'neither its layers nor its size are those of FP16 ({facts["plan_bytes"] / 1e6:.1f} '
            f'MB, of {facts["fp32_weight_bytes"] / 1e6:.1f} MB of FP32 weights)'
        )
    return ''


def engine_key(api: TensorRt, model: Model, precision: str, capability: str, gpu: str) -> EngineKey:
    """Return the cache key of a model's engine on a GPU (`gpu` is '' for TensorRT for RTX)."""
    return EngineKey(
        model=model.name,
        model_sha256=hashlib.sha256(model.read_onnx()).hexdigest(),
        precision=precision,
        runtime=api.flavour,
        version=api.version,
        gpu=gpu,
        capability=capability,
        inputs={tensor.name: tensor.shape for tensor in model.inputs.values()},
        outputs={tensor.name: tensor.shape for tensor in model.outputs.values()},
    )
