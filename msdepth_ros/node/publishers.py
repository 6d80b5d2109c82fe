# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Who publishes a topic, and why no messages arrive."""

from typing import Any

from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)
from rclpy.subscription import Subscription

from msdepth_ros.images.topic_names import without_transport


def describe_publishers(node: Node, subscription: Subscription) -> str:
    """Return who publishes a subscription's topic, and why no messages arrive."""
    topic = subscription.topic_name
    endpoints = node.get_publishers_info_by_topic(topic)
    wanted = message_type_name(subscription.msg_type)
    if not endpoints:
        others = _published_by_others(node, wanted)
        found = f'topics of that type: {", ".join(others)}' if others else 'no topic of that type'
        return f'nobody publishes it ({wanted}; {found}): remap it to the topic of the camera'
    reports = []
    for endpoint in endpoints:
        who = f'{endpoint.node_namespace.rstrip("/")}/{endpoint.node_name}'
        if endpoint.topic_type != wanted:
            reports.append(f'{who} publishes {endpoint.topic_type}, not {wanted}')
            continue
        compatibility, reason = qos_check_compatible(endpoint.qos_profile, subscription.qos_profile)
        if compatibility == QoSCompatibility.ERROR:
            policies = _mismatch(endpoint.qos_profile, subscription.qos_profile)
            reports.append(f'QoS of {who} does not match{policies}: {reason}')
        else:  # a warning means only that a policy of this end is the middleware's default
            reports.append(f'{who} has sent nothing{_lost_before(endpoint.qos_profile, wanted)}')
    return '; '.join(reports)


def is_latched(node: Node, topic: str) -> bool:
    """Return whether a publisher of a topic keeps messages for later subscribers."""
    return any(
        each.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
        for each in node.get_publishers_info_by_topic(topic)
    )


def describe_rivals(node: Node, topic: str) -> str:
    """Return the names of a topic's publishers if there are several, else ''."""
    endpoints = node.get_publishers_info_by_topic(topic)
    if len(endpoints) < 2:
        return ''
    names = sorted(f'{each.node_namespace.rstrip("/")}/{each.node_name}' for each in endpoints)
    return ', '.join(names)


def camera_info_elsewhere(node: Node, image_topic: str, info_topic: str) -> str:
    """Return a published camera_info topic that belongs to an image topic, else ''.

    It is in the namespace of the image, as with image_transport, or below the image. If somebody
    publishes `info_topic`, the result is ''.
    """
    if node.get_publishers_info_by_topic(info_topic):
        return ''
    image = without_transport(image_topic)
    for candidate in (f'{image.rpartition("/")[0]}/camera_info', f'{image}/camera_info'):
        kinds = {each.topic_type for each in node.get_publishers_info_by_topic(candidate)}
        if 'sensor_msgs/msg/CameraInfo' in kinds:
            return candidate
    return ''


def _mismatch(publisher: QoSProfile, subscription: QoSProfile) -> str:
    """Return in which QoS policies two ends do not match, '' if unknown."""
    policies = []
    strict = subscription.reliability == ReliabilityPolicy.RELIABLE
    if strict and publisher.reliability == ReliabilityPolicy.BEST_EFFORT:
        policies.append('reliability')
    latched = subscription.durability == DurabilityPolicy.TRANSIENT_LOCAL
    if latched and publisher.durability == DurabilityPolicy.VOLATILE:
        policies.append('durability')
    return f' in {" and ".join(policies)}' if policies else ''


def _lost_before(publisher: QoSProfile, type_name: str) -> str:
    """Return why a camera_info that was sent once, before we subscribed, is lost; '' otherwise."""
    if not type_name.endswith('CameraInfo'):
        return ''
    if publisher.durability == DurabilityPolicy.VOLATILE:
        return ' since then; its durability is volatile, so earlier messages are lost'
    if publisher.reliability == ReliabilityPolicy.BEST_EFFORT:
        return (
            ' since then; its durability is transient local, but best effort loses earlier messages'
        )
    return ''


def _published_by_others(node: Node, type_name: str) -> list[str]:
    """Return the topics of a type that another node publishes."""
    own = (node.get_name(), node.get_namespace())
    return sorted(
        topic
        for topic, types in node.get_topic_names_and_types()
        if type_name in types
        and any(
            (endpoint.node_name, endpoint.node_namespace) != own
            for endpoint in node.get_publishers_info_by_topic(topic)
        )
    )


def message_type_name(message_type: Any) -> str:
    """Return the ROS name of a message class, such as sensor_msgs/msg/Image."""
    return f'{message_type.__module__.split(".")[0]}/msg/{message_type.__name__}'
