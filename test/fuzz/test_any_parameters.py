# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Any parameters whatever are taken or refused with a reason, and the next frame is answered."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from how_many import examples
from hypothesis import example, given
from hypothesis import strategies as st
from node_in_process import NodeInProcess, check_depth
from rclpy.parameter import Parameter
from test_any_message import good_pair

from msdepth_ros.node.outputs import DEPTH
from msdepth_ros.node.parameter_table import ALWAYS, PARAMETERS

pytestmark = pytest.mark.filterwarnings('error::RuntimeWarning')
ANYTHING = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(max_size=20),
    st.lists(st.floats(), min_size=1, max_size=3),
)


@pytest.fixture(scope='module')
def node(tiny_model: str) -> Iterator[NodeInProcess]:
    with NodeInProcess(tiny_model) as node:
        yield node


def _values(parameter: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for values of a parameter, most of them of its type and in its range."""
    default, limits = parameter.default, parameter.limits
    if isinstance(default, bool):
        usual: st.SearchStrategy[Any] = st.booleans()
    elif isinstance(default, list):
        usual = st.lists(st.sampled_from(limits), max_size=3)
    elif isinstance(default, str):
        usual = st.sampled_from(limits) if limits else st.text(max_size=20)
    elif isinstance(default, int):
        usual = st.integers(*limits)
    else:
        usual = st.floats(*limits) | st.sampled_from([0.0, 0.3, 1.0, 5.0]).filter(
            lambda value: limits[0] <= value <= limits[1]
        )
    return st.integers(0, 7).flatmap(lambda n: ANYTHING if n == 7 else usual)


BY_NAME = {parameter.name: parameter for parameter in PARAMETERS}
DEFAULTS = [
    Parameter(p.name, value=p.default)
    for p in PARAMETERS
    if p.changes == ALWAYS and p.name != 'model'
]
# Those that may make all depth invalid; with their defaults, a good frame has depth.
LIMITS = ('depth.min', 'depth.max', 'depth.scale', 'depth.min_confidence', 'depth.edge_threshold')
CHANGES = st.lists(
    st.sampled_from(PARAMETERS).flatmap(
        lambda parameter: st.tuples(st.just(parameter.name), _values(parameter))
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda change: change[0],
)


@examples(500)
@example(changes=[('rectify', False)])  # what YAML makes of off
@given(changes=CHANGES)
def test_any_parameters_then_a_good_frame(node: NodeInProcess, changes: list) -> None:
    node.node.set_parameters_atomically(DEFAULTS)
    before = dict(node.node._options.values)
    result = node.node.set_parameters_atomically([Parameter(n, value=v) for n, v in changes])
    after = node.node._options.values
    if result.successful:
        assert after == {**before, **{n: BY_NAME[n].value_of(v) for n, v in changes}}
    else:
        assert result.reason
        assert after == before
    for name, value in after.items():
        assert BY_NAME[name].value_of(node.node.get_parameter(name).value) == value
    image, info = good_pair(40, 30)
    node.camera_info(info)
    answer = node.image(image)
    assert isinstance(answer, dict) or answer == 'stale', answer
    if isinstance(answer, dict) and all(after[n] == BY_NAME[n].default for n in LIMITS):
        assert np.isfinite(check_depth(answer[DEPTH], after)).any()
