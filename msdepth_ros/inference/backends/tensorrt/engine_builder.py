# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Builds a TensorRT engine from a model, and checks that it has the precision asked for."""

import logging
import time
import warnings
from dataclasses import dataclass
from typing import Any

from msdepth_ros.errors import BackendError, ModelError
from msdepth_ros.inference.backends.tensorrt.api import (
    TensorRt,
    is_product,
    layer_tensors,
    network_layers,
    tensor_type,
)
from msdepth_ros.inference.backends.tensorrt.build_progress import BuildProgress, heartbeat
from msdepth_ros.inference.backends.tensorrt.engine_options import ENGINE_PRECISIONS, Progress
from msdepth_ros.inference.backends.tensorrt.onnx_graph import PreparedGraph, prepare_graph
from msdepth_ros.inference.model import Model, Tensor

# A plan smaller than this share of its weights in FP32 cannot hold them in FP32.
LARGEST_FP16_SHARE = 0.75

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BuiltEngine:
    """A serialised engine and facts about it.

    Attributes
    ----------
    plan : the serialised engine.
    precision : 'fp16' or 'fp32', as asked for.
    facts : for users and for the cache, see `engine_cache.FACTS`: sizes, counts of operations,
        seconds, and 'fp16_by': what shows that it computes in FP16, of 'types' and 'size'.
    timing_cache : the build's measurements, which make the next build faster; b'': none.
    """

    plan: bytes
    precision: str
    facts: dict[str, Any]
    timing_cache: bytes = b''


def build_engine(
    api: TensorRt,
    model: Model,
    precision: str = 'fp16',
    target: str | None = None,
    workspace: int = 1 << 30,
    timing_cache: bytes = b'',
    progress: Progress | None = None,
) -> BuiltEngine:
    """Build an engine.

    Parameters
    ----------
    api : TensorRT, from import_tensorrt().
    model : the model to build of.
    precision : 'fp16' or 'fp32'.
    target : compute capability such as 'sm89' to build for (TensorRT for RTX only, which needs no
        GPU to do so); None: the GPU of this machine.
    workspace : bytes of temporary GPU memory for one layer.
    timing_cache : of an earlier build on the same GPU with the same TensorRT; b'': none.
    progress : called as progress(stage, fraction); an exception from it stops the build.

    Raises
    ------
    ModelError
        If the model cannot be used or TensorRT cannot read it.
    BackendError
        If TensorRT cannot build it, or not in the precision asked for.
    """
    if precision not in ENGINE_PRECISIONS:
        raise BackendError(f"no precision named '{precision}': choose fp16 or fp32")
    if target is not None:
        api.check_target(target)
    follow = BuildProgress(progress)
    where = f' for {target}' if target else ''
    what = f'building the {precision} engine of {model.name}{where} with {api.title}'
    _logger.info('%s; this can take minutes', what)
    began = time.monotonic()
    with heartbeat(follow, what), warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)
        _enter(follow, 'preparing the graph')
        folder = None if model.weights is None else model.onnx.parent
        graph = prepare_graph(model.read_onnx(), precision, folder)
        _enter(follow, 'starting TensorRT')
        built = _Build(api, model, precision, follow).run(graph, target, workspace, timing_cache)
    built.facts['workspace'] = workspace
    built.facts['seconds'] = round(time.monotonic() - began, 2)
    follow.update('done', 1.0)
    _logger.info(
        'built in %.1f s: %.1f MB, %s', built.facts['seconds'], len(built.plan) / 1e6, precision
    )
    return built


def _enter(follow: BuildProgress, stage: str) -> None:
    """Report a stage; raise the exception by which the build is stopped."""
    if not follow.update(stage) and follow.error is not None:
        raise follow.error


class _Build:
    """One build with TensorRT."""

    def __init__(self, api: TensorRt, model: Model, precision: str, follow: BuildProgress) -> None:
        self._api = api
        self._model = model
        self._precision = precision
        self._follow = follow

    def run(
        self, graph: PreparedGraph, target: str | None, workspace: int, timing_cache: bytes
    ) -> BuiltEngine:
        api, trt = self._api, self._api.module
        api.log.clear()
        try:
            builder = trt.Builder(api.log.bridge)
        except Exception as error:  # pybind11 raises TypeError if the constructor returns null
            raise api.error('cannot start a build') from error
        network = api.create_network(builder)
        # The parser must live as long as the network: it owns the weights.
        parser = self._parse(network, graph)
        config = builder.create_builder_config()
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace)
        config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
        api.set_precision(config, network, self._precision)
        monitor = self._follow.monitor(trt) if api.strongly_typed else None
        if monitor is not None:
            config.progress_monitor = monitor
        if target is not None:
            api.set_target(config, target)
        timings = api.attach_timings(config, timing_cache)
        facts = self._check_network(network, graph)
        plan = builder.build_serialized_network(network, config)
        if self._follow.error is not None:
            raise self._follow.error
        if plan is None:
            where = f' for {target}' if target else ''
            raise api.error(f'cannot build the engine of {self._model.name}{where}')
        del parser  # it is needed until here, as are `timings` and `monitor`
        data = bytes(plan)
        facts['plan_bytes'] = len(data)
        facts['fp32_weight_bytes'] = graph.fp32_weight_bytes
        facts['fp16_by'] = self._shown_by(data, graph, facts['fp16_products'])
        measured = b'' if timings is None else bytes(config.get_timing_cache().serialize())
        return BuiltEngine(data, self._precision, facts, measured)

    def _parse(self, network: Any, graph: PreparedGraph) -> Any:
        parser = self._api.module.OnnxParser(network, self._api.log.bridge)
        if not parser.parse(graph.onnx):
            reasons = [parser.get_error(i).desc() for i in range(parser.num_errors)]
            reasons.append(self._api.log.first('While parsing node'))
            raise ModelError(
                f'model {self._model.name}: {self._api.title} cannot read '
                f'{self._model.onnx.name}: {" ".join(" ".join(reasons).split())}'
            )
        return parser

    def _check_network(self, network: Any, graph: PreparedGraph) -> dict[str, Any]:
        """Check inputs, outputs and the types of convolutions and matrix products; return facts."""
        trt, model = self._api.module, self._model
        inputs = [network.get_input(i) for i in range(network.num_inputs)]
        self._check_tensors(inputs, model.inputs)
        outputs = [network.get_output(i) for i in range(network.num_outputs)]
        names = {tensor.name for tensor in model.outputs.values()}
        if names <= {tensor.name for tensor in outputs}:
            for tensor in outputs:
                if tensor.name not in names:  # the YAML does not use it
                    network.unmark_output(tensor)
        wanted = [network.get_output(i) for i in range(network.num_outputs)]
        self._check_tensors(wanted, model.outputs)
        products = [layer for layer in network_layers(network) if is_product(layer)]
        half = [
            all(tensor.dtype == trt.DataType.HALF for tensor in layer_tensors(layer))
            for layer in products
        ]
        facts: dict[str, Any] = {'products': len(products), 'fp16_products': sum(half)}
        if graph.counts is not None:
            expected = graph.counts.products - graph.counts.fp32_products
            facts['fp16_nodes'] = graph.counts.fp16_nodes
            facts['fp32_nodes'] = graph.counts.fp32_nodes
            if self._api.strongly_typed and sum(half) < expected:
                raise BackendError(
                    f'the FP16 engine of {model.name} would have only {sum(half)} FP16 products of '
                    f'{expected}: set the parameter `precision` to fp32'
                )
        return facts

    def _check_tensors(self, found: list[Any], wanted: dict[str, Tensor]) -> None:
        trt = self._api.module
        has = {tensor.name: (tensor.dtype, tuple(tensor.shape)) for tensor in found}
        needs = {
            tensor.name: (tensor_type(trt, tensor), tensor.shape) for tensor in wanted.values()
        }
        if has != needs:
            raise ModelError(
                f'model {self._model.name}: the ONNX file has {_listed(has)} where its YAML says '
                f'{_listed(needs)}'
            )

    def _shown_by(self, plan: bytes, graph: PreparedGraph, fp16_products: int) -> list[str]:
        """Return what shows that a plan computes in FP16.

        'types': a strongly typed network has the engine's types, and they were checked. 'size':
        FP32 weights would not fit into a plan this small. (A larger plan may have large kernels.)
        """
        if self._precision != 'fp16':
            return []
        shown = ['types'] if self._api.strongly_typed and fp16_products else []
        if len(plan) < LARGEST_FP16_SHARE * graph.fp32_weight_bytes:
            shown.append('size')
        return shown


def _listed(tensors: dict[str, tuple[Any, tuple[int, ...]]]) -> str:
    return ', '.join(f'{n} {d.name} {list(s)}' for n, (d, s) in tensors.items()) or 'nothing'
