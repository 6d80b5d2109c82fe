# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every parameter is described, guarded and remembered; no graph is needed."""

import math

import pytest
import rclpy
from rclpy.context import Context
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter

from msdepth_ros.errors import MsdepthError
from msdepth_ros.inference.estimator import Settings
from msdepth_ros.node.parameter_table import ALWAYS, AT_START, PARAMETERS, UNCONFIGURED
from msdepth_ros.node.parameters import Parameters, estimator_settings

DYNAMIC = [parameter for parameter in PARAMETERS if parameter.changes == ALWAYS]
REFUSALS = (MsdepthError, ParameterException)  # one line each, see process.run_node
FIXED = [parameter for parameter in PARAMETERS if parameter.changes == UNCONFIGURED]


@pytest.fixture(scope='module')
def context():
    context = Context()
    rclpy.init(context=context)
    anchor = Node('anchor', context=context, enable_rosout=False)  # keeps the DDS participant
    yield context
    anchor.destroy_node()
    rclpy.shutdown(context=context)


@pytest.fixture
def make_node(context):
    """Return a function that makes a node with the given start values."""
    nodes = []

    def make(**values):
        overrides = [Parameter(name.replace('__', '.'), value=v) for name, v in values.items()]
        nodes.append(
            Node(
                'parameters_under_test',
                context=context,
                parameter_overrides=overrides,
                start_parameter_services=False,
                enable_rosout=False,
            )
        )
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()


def set_one(node, name, value):
    return node.set_parameters([Parameter(name, value=value)])[0]


def other_value(parameter):
    """Return an allowed value that is not the default."""
    default, limits = parameter.default, parameter.limits
    if isinstance(default, bool):
        return not default
    if isinstance(default, list):
        return list(limits[1:])
    if isinstance(default, str):
        return next((choice for choice in limits if choice != default), 'another')
    low, high = limits
    return type(default)(low + 1 if low + 1 != default else low + 2) if high > 2 else high


def wrong_values(parameter):
    """Return values of the right type that must be refused."""
    default, limits = parameter.default, parameter.limits
    if isinstance(default, bool) or not limits:
        return []
    if isinstance(default, list):
        return [['nonsense'], [limits[0], 'nonsense'], 'nonsense', [1, 2], 3.5, True]
    if isinstance(default, str):
        return ['', 'nonsense', limits[0].swapcase()]
    low, high = limits
    if isinstance(default, int):
        return [low - 1, high + 1]
    return [low - 0.001, high + 1.0, math.nan, math.inf, -math.inf]


def test_every_parameter_is_declared_with_its_default_and_a_description(make_node):
    node = make_node()
    parameters = Parameters(node)
    for parameter in PARAMETERS:
        descriptor = node.describe_parameter(parameter.name)
        assert len(descriptor.description.split()) >= 2, parameter.name
        assert descriptor.read_only == (parameter.changes == AT_START)
        assert node.get_parameter(parameter.name).value == parameter.default
        assert parameters.values[parameter.name] == parameter.default
        assert type(parameters.values[parameter.name]) is type(parameter.default)
        if parameter.limits and isinstance(parameter.default, float):
            (span,) = descriptor.floating_point_range
            assert (span.from_value, span.to_value) == parameter.limits
        elif parameter.limits and isinstance(parameter.default, int):
            (span,) = descriptor.integer_range
            assert (span.from_value, span.to_value) == parameter.limits
        elif parameter.limits:
            assert all(choice in descriptor.description for choice in parameter.limits)


@pytest.mark.parametrize('parameter', DYNAMIC, ids=lambda parameter: parameter.name)
def test_dynamic_parameters_change_at_any_time(parameter, make_node):
    node = make_node()
    parameters = Parameters(node, is_configured=lambda: True)
    before = parameters.values
    value = other_value(parameter)
    result = set_one(node, parameter.name, value)
    assert result.successful, result.reason
    assert parameters.values[parameter.name] == value
    assert before[parameter.name] == parameter.default  # replaced as a whole: threads see one state


@pytest.mark.parametrize('parameter', FIXED, ids=lambda parameter: parameter.name)
def test_the_others_change_only_while_unconfigured(parameter, make_node):
    node = make_node()
    configured = True
    parameters = Parameters(node, is_configured=lambda: configured)
    value = other_value(parameter)
    result = set_one(node, parameter.name, value)
    assert not result.successful
    assert 'while the node is unconfigured' in result.reason
    assert parameters.values[parameter.name] == parameter.default
    assert node.get_parameter(parameter.name).value == parameter.default
    configured = False
    assert set_one(node, parameter.name, value).successful
    assert parameters.values[parameter.name] == value


@pytest.mark.parametrize(
    ('parameter', 'value'),
    [(parameter, value) for parameter in PARAMETERS for value in wrong_values(parameter)],
    ids=lambda item: getattr(item, 'name', repr(item)),
)
def test_a_value_out_of_its_range_is_refused_and_the_old_one_stays(parameter, value, make_node):
    node = make_node()
    parameters = Parameters(node)
    result = set_one(node, parameter.name, value)
    assert not result.successful
    assert result.reason
    assert parameters.values[parameter.name] == parameter.default
    assert node.get_parameter(parameter.name).value == parameter.default


@pytest.mark.parametrize(
    ('parameter', 'value'),
    [(parameter, value) for parameter in PARAMETERS for value in wrong_values(parameter)],
    ids=lambda item: getattr(item, 'name', repr(item)),
)
def test_a_node_does_not_start_with_a_value_out_of_its_range(parameter, value, make_node):
    node = make_node(**{parameter.name.replace('.', '__'): value})
    with pytest.raises(REFUSALS, match=parameter.name):
        Parameters(node)


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('depth.scale', 'two'),
        ('depth.scale', True),
        ('depth.scale', [1.0]),
        ('threads', 1.5),
        ('fit', 3),
        ('autostart', 'yes'),
    ],
)
def test_a_value_of_another_type_is_refused(name, value, make_node):
    node = make_node()
    parameters = Parameters(node)
    before = dict(parameters.values)
    assert not set_one(node, name, value).successful
    assert parameters.values == before
    with pytest.raises(REFUSALS, match=name):
        Parameters(make_node(**{name.replace('.', '__'): value}))


@pytest.mark.parametrize('name', [p.name for p in PARAMETERS if isinstance(p.default, float)])
def test_a_whole_number_is_one_for_a_real_parameter(name, make_node):
    """As `ros2 param set NODE depth.max 5`, YAML and launch give it."""
    parameter = next(p for p in PARAMETERS if p.name == name)
    value = next(n for n in (1, 2, 0, 11) if parameter.refusal(float(n)) is None)
    node = make_node()
    parameters = Parameters(node)
    if set_one(node, name, float(value)).successful:  # else the others' values are in the way
        assert set_one(node, name, value).successful
        assert type(parameters.values[name]) is float
        assert parameters.values[name] == value
        assert type(node.get_parameter(name).value) is float
    with pytest.raises(REFUSALS, match=name):
        Parameters(make_node(**{name.replace('.', '__'): 10**9}))


def test_whole_numbers_at_start(make_node):
    node = make_node(depth__max=5, depth__scale=2, points__max_range=4)
    parameters = Parameters(node)
    for name, value in (('depth.max', 5), ('depth.scale', 2), ('points.max_range', 4)):
        assert type(parameters.values[name]) is float
        assert parameters.values[name] == value
        assert type(node.get_parameter(name).value) is float
    assert not set_one(node, 'depth.max', 100_000).successful
    assert parameters.values['depth.max'] == 5


@pytest.mark.parametrize(
    ('given', 'meant'),
    [
        (['scan', 'floor'], ['scan', 'floor']),
        ('scan, floor', ['scan', 'floor']),
        ('scan', ['scan']),
        ('none', []),
        (['none'], []),
        ('', []),
    ],
)
def test_sources_are_a_list_or_one_text_with_commas(given, meant, make_node):
    assert Parameters(make_node(metric__sources=given)).values['metric.sources'] == meant
    parameters = Parameters(node := make_node())
    assert set_one(node, 'metric.sources', given).successful
    assert parameters.values['metric.sources'] == meant


@pytest.mark.parametrize('name', ['scan', 'points', 'depth'])
def test_an_invalid_pose_is_refused_by_its_own_name(name, make_node):
    with pytest.raises(REFUSALS, match=rf"measured\.{name}_pose '1 2 3' is not a pose: give six"):
        Parameters(make_node(**{f'measured__{name}_pose': '1 2 3'}))


def test_start_values_count(make_node):
    parameters = Parameters(make_node(depth__max=5.0, fit='pad', points__stride=3))
    assert parameters.values['depth.max'] == 5
    assert parameters.values['fit'] == 'pad'
    assert parameters.values['points.stride'] == 3


def test_limits_that_exclude_everything_are_refused(make_node):
    node = make_node()
    parameters = Parameters(node)
    assert set_one(node, 'depth.min', 2.0).successful
    result = set_one(node, 'depth.max', 2.0)
    assert not result.successful
    assert 'depth.max 2.0 must exceed depth.min 2.0' in result.reason
    assert set_one(node, 'depth.max', 0.0).successful  # the model's own
    together = [Parameter('depth.min', value=5.0), Parameter('depth.max', value=9.0)]
    assert node.set_parameters_atomically(together).successful
    assert (parameters.values['depth.min'], parameters.values['depth.max']) == (5, 9)
    with pytest.raises(MsdepthError, match='must exceed'):
        Parameters(make_node(depth__min=3.0, depth__max=2.0))


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        (
            {'depth.min': 12.0},
            'depth.min 12.0 leaves no depth: the range of model msdepth',
        ),
        (
            {'depth.max': 0.1},
            'depth.max 0.1 leaves no depth: the range of model msdepth',
        ),
        ({'points.min_range': 3.0, 'points.max_range': 2.0}, 'points.max_range 2.0 must exceed'),
        ({'scan.range_min': 10.0}, 'scan.range_max 10.0 must exceed scan.range_min 10.0'),
    ],
)
def test_limits_that_leave_nothing_are_refused(changes, reason, make_node):
    node = make_node()
    parameters = Parameters(node)
    before = parameters.values
    result = node.set_parameters_atomically(
        [Parameter(name, value=value) for name, value in changes.items()]
    )
    assert not result.successful
    assert reason in result.reason
    assert parameters.values == before
    with pytest.raises(MsdepthError, match=reason.replace('.', r'\.')):
        Parameters(make_node(**{name.replace('.', '__'): v for name, v in changes.items()}))


def test_of_several_values_set_at_once_all_are_taken_or_none(make_node):
    node = make_node()
    parameters = Parameters(node)
    changes = [Parameter('fit', value='pad'), Parameter('depth.scale', value=-1.0)]
    assert not node.set_parameters_atomically(changes).successful
    assert parameters.values['fit'] == 'auto'
    assert node.get_parameter('fit').value == 'auto'


def test_parameters_of_other_declarers_are_not_checked(make_node):
    node = make_node()
    Parameters(node)
    node.declare_parameter('somebody_elses', 1)
    assert set_one(node, 'somebody_elses', 2).successful


def test_settings_are_the_values(make_node):
    parameters = Parameters(
        make_node(
            rectify='on', fit='stretch', depth__min=0.5, depth__max=7.0, depth__scale=1.25,
            depth__edge_threshold=0.3,
        )
    )  # fmt: skip
    assert estimator_settings(parameters.values, '/camera/image_raw') == Settings(
        'on', 'stretch', 0.5, 7.0, 1.25, 0.3
    )


@pytest.mark.parametrize(
    ('topic', 'rectified'),
    [
        ('/camera/image_raw', False),
        ('/camera/image', False),
        ('/camera/image_rect', True),
        ('/camera/image_rect_color', True),
        ('/left/image_rect/compressed', True),
        ('/camera/rgb/rectified/image', True),
        ('/camera/image_direct', False),
        ('/direct/image_raw', False),
        ('image', False),
        ('image_rect', True),
    ],
)
def test_rectify_auto_goes_by_the_name_of_the_topic(topic, rectified, make_node):
    node = make_node()
    parameters = Parameters(node)
    assert estimator_settings(parameters.values, topic).rectify == ('off' if rectified else 'auto')
    # YAML, and so ros2 param set, reads a bare on or off as a boolean
    for given, meant in (('on', 'on'), ('off', 'off'), (True, 'on'), (False, 'off')):
        assert set_one(node, 'rectify', given).successful
        assert estimator_settings(parameters.values, topic).rectify == meant
        started = Parameters(make_node(rectify=given)).values
        assert estimator_settings(started, topic).rectify == meant
