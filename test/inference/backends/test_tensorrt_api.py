# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""All that the backend uses of TensorRT exists there.

The backend's source is walked; every attribute of TensorRT's objects is looked up, and every
call's arguments are counted, in the modules that are installed here and in lists made of
TensorRT 8.6, 10.3 and 11.4. So a name that only a robot would miss is missed here.
"""

import ast
import json
import sys
import types
from pathlib import Path

import api_walk
import pytest
from api_walk import Api, Uses, missing
from tensorrt_api_list import list_api

from msdepth_ros.errors import BackendError
from msdepth_ros.inference.backends.tensorrt import api as tensorrt_api
from msdepth_ros.inference.backends.tensorrt.cuda_errors import TensorRtMissingError, cuda_remedy

BACKENDS = Path(tensorrt_api.__file__).parent
PACKAGE = BACKENDS.parents[2]
SOURCES = ('api', 'engine_builder', 'build_progress', 'session')
LISTS: dict[str, Api] = json.loads(Path(__file__).with_name('tensorrt_api.json').read_text())

# How the backend names what it gets from TensorRT.
VARIABLES = {
    'builder': 'Builder',
    'network': 'INetworkDefinition',
    'config': 'IBuilderConfig',
    'parser': 'OnnxParser',
    'layer': 'ILayer',
    'tensor': 'ITensor',
    '_runtime': 'Runtime',
    'engine': 'ICudaEngine',
    '_engine': 'ICudaEngine',
    'context': 'IExecutionContext',
    '_context': 'IExecutionContext',
    'inspector': 'EngineInspector',
    'get_error': 'ParserError',
    'get_timing_cache': 'ITimingCache',
}
# What only some have, each used where the backend knows which one it has.
ONLY_RTX = {
    'ComputeCapability.__members__',
    'IBuilderConfig.num_compute_capabilities',
    'IBuilderConfig.set_compute_capability',
    'IExecutionContext.is_stream_capturable',
}
ONLY_BEFORE_10 = {
    'BuilderFlag.FP16',
    'BuilderFlag.PREFER_PRECISION_CONSTRAINTS',
    'ILayer.precision',
    'NetworkDefinitionCreationFlag.EXPLICIT_BATCH',
}
ONLY_FROM_10 = {
    'IBuilderConfig.progress_monitor',
    'IProgressMonitor',
    'IProgressMonitor.__init__',
    'IProgressMonitor.phase_finish',
    'IProgressMonitor.phase_start',
    'IProgressMonitor.step_complete',
    'NetworkDefinitionCreationFlag.STRONGLY_TYPED',
}


def _owner(node: ast.expr) -> str | None:
    """Return the TensorRT class that an expression is, '' for the module, None if neither."""
    if isinstance(node, ast.Name):
        return '' if node.id == 'trt' else VARIABLES.get(node.id)
    if isinstance(node, ast.Call):
        return _owner(node.func) if isinstance(node.func, ast.Attribute) else None
    if not isinstance(node, ast.Attribute):
        return None
    if node.attr == 'module':
        return ''
    if _owner(node.value) == '' and node.attr[0].isupper():
        return node.attr
    return VARIABLES.get(node.attr)


def uses() -> Uses:
    """Return what the backend uses of TensorRT."""
    found: Uses = {}
    for source in SOURCES:
        path = BACKENDS / f'{source}.py'
        for name, counts in api_walk.uses(path, _owner).items():
            found.setdefault(name, set()).update(counts)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                for base in node.bases:
                    if isinstance(base, ast.Attribute) and _owner(base.value) == '':
                        _overrides(node, base.attr, found)
    return found


def _overrides(node: ast.ClassDef, base: str, found: Uses) -> None:
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name != '__init__':
            found.setdefault(f'{base}.{item.name}', set()).add(len(item.args.args) - 1)


def test_the_walk_finds_what_the_backend_does():
    used = uses()
    assert used['Builder.build_serialized_network'] == {2}
    assert used['IExecutionContext.execute_async_v3'] == {1}
    assert used['IProgressMonitor.phase_start'] == {3}
    assert used['Runtime'] == {1}
    assert {name.partition('.')[0] for name in used} >= set(VARIABLES.values())
    assert len(used) > 60


def test_no_other_source_touches_tensorrt():
    others = {path for path in PACKAGE.rglob('*.py') if path.parent != BACKENDS}
    others |= {path for path in BACKENDS.glob('*.py') if path.stem not in SOURCES}
    assert len(others) > 50
    for path in others:
        names = {n.id for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Name)}
        assert 'trt' not in names, path


@pytest.mark.parametrize(
    ('source', 'old', 'new', 'found'),
    [
        ('session', '.execute_async_v3(', '.execute_v4(', 'IExecutionContext.execute_v4'),
        ('session', 'TensorIOMode.INPUT', 'TensorIOMode.IN', 'TensorIOMode.IN'),
        ('engine_builder', 'trt.Builder(', 'trt.Bilder(', 'Bilder'),
        ('engine_builder', 'plan = builder.build_serialized_network(network, config)',
         'plan = builder.build_serialized_network(network)',
         'Builder.build_serialized_network[1]'),
        ('build_progress', 'def phase_finish(', 'def phase_end(', 'IProgressMonitor.phase_end'),
        ('build_progress', 'parent_phase: str, num', 'num', 'IProgressMonitor.phase_start[2]'),
    ],
)  # fmt: skip
def test_a_typo_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str, old: str, new: str, found: str
):
    for name in SOURCES:
        text = (BACKENDS / f'{name}.py').read_text()
        if name == source:
            assert text.count(old) == 1
            text = text.replace(old, new)
        (tmp_path / f'{name}.py').write_text(text)
    before = missing(LISTS['10.3.0'], uses())
    monkeypatch.setattr(sys.modules[__name__], 'BACKENDS', tmp_path)
    assert missing(LISTS['10.3.0'], uses()) - before == {found}


def test_keywords_are_not_used_for_they_differ_between_versions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    for name in SOURCES:
        text = (BACKENDS / f'{name}.py').read_text()
        (tmp_path / f'{name}.py').write_text(text.replace('(network, config)', '(network, x=1)'))
    monkeypatch.setattr(sys.modules[__name__], 'BACKENDS', tmp_path)
    with pytest.raises(AssertionError, match='keywords differ'):
        uses()


def test_a_wrong_name_and_a_wrong_count_would_be_found():
    api = LISTS['10.3.0']
    wrong = {'Builder.build': {1}, 'Runtime.deserialize_cuda_engine': {3}, 'Nothing': set()}
    assert missing(api, wrong) == {
        'Builder.build', 'Runtime.deserialize_cuda_engine[3]', 'Nothing'
    }  # fmt: skip


@pytest.mark.parametrize('version', LISTS)
def test_all_exists_in_released_versions(version: str):
    major = int(version.split('.')[0])
    absent = ONLY_RTX | {'ComputeCapability'} | (ONLY_BEFORE_10 if major > 10 else set())
    if major < 10:
        absent |= ONLY_FROM_10
    assert missing(LISTS[version], uses()) == absent & uses().keys()


def test_all_exists_in_tensorrt_for_rtx():
    module = pytest.importorskip('tensorrt_rtx_bindings', exc_type=ImportError)
    absent = missing(list_api(module), uses())
    members = {'ComputeCapability.__members__'}  # an attribute of the metaclass kind
    assert absent - members == ONLY_BEFORE_10
    assert module.ComputeCapability.__members__


def test_the_run_time_exists_in_the_lean_runtime_of_tensorrt_11():
    module = pytest.importorskip('tensorrt_lean_bindings', exc_type=ImportError)
    api = list_api(module)
    used = {name: n for name, n in uses().items() if name.partition('.')[0] in api}
    assert {'Runtime', 'ICudaEngine', 'IExecutionContext'} <= {n.split('.')[0] for n in used}
    assert missing(api, used) == {
        name for name in ONLY_BEFORE_10 | ONLY_RTX if name.partition('.')[0] in api
    }


@pytest.fixture
def rtx() -> tensorrt_api.TensorRt:
    names = ('NONE', 'CURRENT', 'SM75', 'SM89', 'SM120', 'SM121')
    known = types.SimpleNamespace(__members__=dict.fromkeys(names))
    module = types.SimpleNamespace(ComputeCapability=known)
    return tensorrt_api.TensorRt(module, 'tensorrt_rtx', '1.7', None)  # type: ignore[arg-type]


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch):
    """Let importlib know only the modules of a dict; import_tensorrt() then starts anew."""
    known: dict[str, object] = {}

    def import_module(name: str) -> object:
        if name not in known:
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)
        if isinstance(known[name], Exception):
            raise known[name]
        return known[name]

    util = types.SimpleNamespace(find_spec=lambda name: None)
    stand_in = types.SimpleNamespace(import_module=import_module, util=util)
    monkeypatch.setattr(tensorrt_api, 'importlib', stand_in)
    monkeypatch.setattr(tensorrt_api, 'MessageLog', lambda _: None)
    tensorrt_api.import_tensorrt.cache_clear()
    yield known
    tensorrt_api.import_tensorrt.cache_clear()


def test_tensorrt_comes_before_tensorrt_for_rtx(modules: dict[str, object]):
    with pytest.raises(TensorRtMissingError, match='not installed'):
        tensorrt_api.import_tensorrt()
    modules['tensorrt_rtx_bindings'] = types.SimpleNamespace(__version__='1.7.1.116')
    api = tensorrt_api.import_tensorrt()
    assert (api.flavour, api.is_rtx, api.strongly_typed) == ('tensorrt_rtx', True, True)
    assert api.title == 'TensorRT for RTX 1.7.1.116'
    tensorrt_api.import_tensorrt.cache_clear()
    modules['tensorrt'] = types.SimpleNamespace(__version__='10.3.0')
    assert tensorrt_api.import_tensorrt().title == 'TensorRT 10.3.0'


def test_an_empty_folder_is_no_tensorrt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Python imports it, and Docker makes one where a mount's path is not there."""
    (tmp_path / 'empty_tensorrt').mkdir()
    (tmp_path / 'second_tensorrt.py').write_text("__version__ = '10.3.0'")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(tensorrt_api, 'MessageLog', lambda _: None)
    find = tensorrt_api.import_tensorrt.__wrapped__
    monkeypatch.setattr(tensorrt_api, 'MODULES', ('empty_tensorrt',))
    for refuse in (tensorrt_api.check_installed, find):
        with pytest.raises(TensorRtMissingError, match='/empty_tensorrt is an empty folder'):
            refuse()
    monkeypatch.setattr(tensorrt_api, 'MODULES', ('empty_tensorrt', 'second_tensorrt'))
    tensorrt_api.check_installed()
    assert find().title == 'TensorRT 10.3.0'


@pytest.mark.parametrize(
    ('version', 'typed'),
    [('8.5.2.2', False), ('8.6.1', False), ('10.0.1', True), ('10.3.0', True), ('11.4.0', True)],
)
def test_networks_are_strongly_typed_from_10_on(
    modules: dict[str, object], version: str, typed: bool
):
    modules['tensorrt'] = types.SimpleNamespace(__version__=version)
    assert tensorrt_api.import_tensorrt().strongly_typed == typed


@pytest.mark.parametrize('capability', ['sm75', 'sm89', 'sm120', 'sm130'])
def test_tensorrt_for_rtx_takes_the_gpus_it_knows_and_newer_ones(
    rtx: tensorrt_api.TensorRt, capability: str
):
    rtx.check_runs_on(capability, 'some GPU')


def test_tensorrt_for_rtx_does_not_run_on_other_gpus_but_tensorrt_may(rtx: tensorrt_api.TensorRt):
    with pytest.raises(BackendError, match=r'does not run on NVIDIA H200.*sm90.*tensorrt-cu13'):
        rtx.check_runs_on('sm90', 'NVIDIA H200')
    tensorrt = tensorrt_api.TensorRt(rtx.module, 'tensorrt', '10.3', None)  # type: ignore[arg-type]
    tensorrt.check_runs_on('sm90', 'NVIDIA H200')


def test_only_tensorrt_for_rtx_builds_for_other_gpus(rtx: tensorrt_api.TensorRt):
    rtx.check_target('sm89')
    tensorrt = tensorrt_api.TensorRt(rtx.module, 'tensorrt', '10.3', None)  # type: ignore[arg-type]
    words = r'TensorRT 10\.3 compiles for the GPU of this machine only.*without `tensorrt`'
    with pytest.raises(BackendError, match=words):
        tensorrt.check_target('sm89')


def test_an_old_tensorrt_and_one_that_does_not_load_are_refused(modules: dict[str, object]):
    modules['tensorrt'] = types.SimpleNamespace(__version__='8.4.1.5')
    with pytest.raises(BackendError, match=r'8\.4\.1\.5 is too old'):
        tensorrt_api.import_tensorrt()
    modules['tensorrt'] = ImportError('libnvinfer.so.10: cannot open shared object file')
    with pytest.raises(BackendError, match=r'does not load: libnvinfer.so.10') as caught:
        tensorrt_api.import_tensorrt()
    assert not isinstance(caught.value, TensorRtMissingError)


@pytest.mark.parametrize(
    ('words', 'remedy'),
    [
        ('cuMemAlloc failed: out of memory', 'free GPU memory'),
        ('Error Code 2: OutOfMemory (no further information)', 'free GPU memory'),
        ('Requested amount of GPU memory (9 bytes) could not be allocated.', 'free GPU memory'),
        ('all CUDA-capable devices are busy or unavailable', 'another program has the GPU'),
        ('(cudaError 36: API call is not supported in the installed CUDA driver)', 'too old'),
        ('the provided PTX was compiled with an unsupported toolchain.', 'too old'),
        ('cuInit failed: no CUDA-capable device is detected', 'no NVIDIA GPU is visible'),
        ('(cudaError 35: CUDA driver version is insufficient for it)', 'driver is missing'),
        ('cuStreamSynchronize failed: an illegal memory access was encountered', 'started again'),
        ('Target GPU SM 90 is not supported by this TensorRT release', 'does not know this GPU'),
        ('cuInit failed: system not yet initialized', 'nvidia-fabricmanager'),
        ('uncorrectable ECC error encountered', 'started again'),
        ('no such file: /home/becca/small.plan', ''),
        ('something else', ''),
    ],
)
def test_each_known_error_comes_with_its_remedy(words: str, remedy: str):
    text = cuda_remedy(words)
    assert remedy.lower() in text.lower()
    assert bool(text) == bool(remedy)


def weakly_typed(kinds: list[str]) -> tuple[types.SimpleNamespace, types.SimpleNamespace, list]:
    """Return a TensorRT 8 module, a network of these layers, and the flags that are set."""
    enum = {kind: types.SimpleNamespace(name=kind) for kind in {*kinds, 'UNARY', 'ELEMENTWISE'}}
    layers = [types.SimpleNamespace(type=enum[kind], precision='any') for kind in kinds]
    network = types.SimpleNamespace(num_layers=len(layers), get_layer=layers.__getitem__)
    module = types.SimpleNamespace(
        BuilderFlag=types.SimpleNamespace(
            FP16='fp16', TF32='tf32', PREFER_PRECISION_CONSTRAINTS='prefer'
        ),
        LayerType=types.SimpleNamespace(**enum),
        DataType=types.SimpleNamespace(FLOAT='float'),
    )
    return module, network, layers


@pytest.mark.parametrize(
    ('version', 'precision', 'set_flags', 'cleared'),
    [
        ('8.6.1', 'fp16', ['fp16', 'prefer'], []),
        ('8.6.1', 'fp32', [], ['tf32']),
        ('10.3.0', 'fp16', [], []),
        ('11.4.0', 'fp32', [], ['tf32']),
    ],
)
def test_before_10_flags_make_it_fp16_and_name_what_stays_fp32(
    version: str, precision: str, set_flags: list[str], cleared: list[str]
):
    kinds = ['ELEMENTWISE', 'CONVOLUTION', 'ELEMENTWISE', 'MATRIX_MULTIPLY', 'SHUFFLE', 'UNARY']
    module, network, layers = weakly_typed(kinds)
    was_set: list[str] = []
    was_cleared: list[str] = []
    config = types.SimpleNamespace(set_flag=was_set.append, clear_flag=was_cleared.append)
    log = types.SimpleNamespace()
    api = tensorrt_api.TensorRt(module, 'tensorrt', version, log)  # type: ignore[arg-type]
    api.set_precision(config, network, precision)
    assert (was_set, was_cleared) == (set_flags, cleared)
    kept = [layer.precision for layer in layers]
    expected = ['float', 'any', 'any', 'any', 'any', 'float']
    assert kept == (expected if set_flags else ['any'] * 6)


def test_a_timing_cache_that_is_damaged_is_begun_anew():
    attached: list[object] = []
    config = types.SimpleNamespace(
        create_timing_cache=lambda data: None if data == b'damaged' else f'cache {data!r}',
        set_timing_cache=lambda cache, ignore: attached.append((cache, ignore)),
    )
    api = tensorrt_api.TensorRt(None, 'tensorrt', '10.3.0', None)  # type: ignore[arg-type]
    assert api.attach_timings(config, b'damaged') == "cache b''"
    assert attached == [("cache b''", False)]
    assert api.attach_timings(config, b'good') == "cache b'good'"
    rtx = tensorrt_api.TensorRt(None, 'tensorrt_rtx', '1.7', None)  # type: ignore[arg-type]
    assert rtx.attach_timings(config, b'good') is None
