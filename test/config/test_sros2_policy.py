# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""config/sros2_policy.xml allows what the node really does, and nothing else."""

import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import rclpy
from oracle import write_color_model
from patience import PATIENCE
from rclpy.context import Context
from rclpy.parameter import Parameter

from msdepth_ros.node.depth_node import DepthNode

POLICY = Path(__file__).resolve().parents[2] / 'config' / 'sros2_policy.xml'
CHILDREN = {
    'policy': {'enclaves'},
    'enclaves': {'enclave'},
    'enclave': {'profiles'},
    'profiles': {'profile'},
    'profile': {'topics', 'services'},
    'topics': {'topic'},
    'services': {'service'},
}
RULES = {'topics': ('publish', 'subscribe'), 'services': ('reply', 'request')}
USES = (
    ('publish', 'publisher'),
    ('subscribe', 'subscriber'),
    ('reply', 'service'),
    ('request', 'client'),
)
NOT_IN_HUMBLE = {'/msdepth/get_type_description'}


@pytest.fixture(scope='module')
def node(tmp_path_factory):
    model = str(write_color_model(tmp_path_factory.mktemp('model')))
    values = {'model': model, 'backend': 'onnxruntime'}
    context = Context()
    rclpy.init(context=context)
    node = DepthNode(
        context=context,
        parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
    )
    node.trigger_configure()
    node.trigger_activate()
    limit = time.monotonic() + PATIENCE  # the graph hears of the node's own names from discovery
    while not all(allowed(rule) - NOT_IN_HUMBLE <= used(node, kind) for rule, kind in USES):
        assert time.monotonic() < limit, 'the graph does not know all that the policy allows'
        time.sleep(0.05)
    yield node
    node.destroy_node()
    rclpy.shutdown(context=context)


def allowed(rule):
    """Return the full names that the policy allows under a rule, expanded as sros2 does it."""
    (profile,) = ElementTree.parse(POLICY).iter('profile')
    namespace, name = profile.get('ns').rstrip('/'), profile.get('node')
    found = set()
    for group in profile:
        if group.get(rule) == 'ALLOW':
            for text in (element.text for element in group):
                if text.startswith('~'):
                    text = f'{namespace}/{name}{text[1:]}'
                found.add(text if text.startswith('/') else f'{namespace}/{text}')
    return found


def used(node, kind):
    ask = getattr(node, f'get_{kind}_names_and_types_by_node')
    return {name for name, _ in ask(node.get_name(), node.get_namespace())}


@pytest.mark.parametrize(('rule', 'kind'), USES)
def test_the_policy_is_what_the_running_node_uses(node, rule, kind):
    """With simulated time it also subscribes to /clock; docs/security.md says so."""
    wanted = used(node, kind)
    assert (rule in ('request',)) != bool(wanted)
    assert allowed(rule) - wanted <= NOT_IN_HUMBLE
    assert wanted <= allowed(rule)


def test_the_policy_has_the_form_that_sros2_reads():
    policy = ElementTree.parse(POLICY).getroot()
    assert (policy.tag, policy.get('version')) == ('policy', '0.2.0')
    for element in policy.iter():
        assert {child.tag for child in element} == CHILDREN.get(element.tag, set())
        if element.tag in RULES:
            assert set(element.attrib) <= set(RULES[element.tag])
            assert set(element.attrib.values()) == {'ALLOW'}
        if not len(element):
            assert element.text == element.text.strip()
    assert [element.get('path') for element in policy.iter('enclave')] == ['/msdepth']
