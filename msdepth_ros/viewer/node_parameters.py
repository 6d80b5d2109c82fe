# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The parameters of a depth node, read and set through its services."""

from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

from rcl_interfaces.msg import ParameterEvent, SetParametersResult
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.node import Node
from rclpy.parameter import Parameter, parameter_value_to_python
from std_srvs.srv import Trigger

from msdepth_ros.errors import MsdepthError
from msdepth_ros.node.parameter_table import ALWAYS, PARAMETERS

PATIENCE = 5.0  # seconds in which the node must answer
Values = dict[str, Any]

# The parameters that can change while the node runs.
TUNABLE = {parameter.name: parameter for parameter in PARAMETERS if parameter.changes == ALWAYS}
_READ = (*TUNABLE, 'camera_pose')


class NodeParameters:
    """The parameters of one depth node; call it on any thread but the executor's.

    Attributes
    ----------
    values : the last known values, by name.
    """

    def __init__(self, node: Node, name: str, changed: Callable[[Values], None]) -> None:
        """`changed` is called with changed values, on the executor's thread."""
        self.values: Values = {}
        self._name = name
        self._changed = changed
        self._node = node
        self._get = node.create_client(GetParameters, f'{name}/get_parameters')
        self._set = node.create_client(SetParameters, f'{name}/set_parameters')
        self._save = node.create_client(Trigger, f'{name}/save_scale')
        self._events = node.create_subscription(
            ParameterEvent, '/parameter_events', self._on_event, 10
        )

    def close(self) -> None:
        """Destroy the clients and the subscription."""
        self._node.destroy_subscription(self._events)
        self._node.destroy_client(self._get)
        self._node.destroy_client(self._set)
        self._node.destroy_client(self._save)

    def read(self) -> Values:
        """Return the values of all parameters of the page; those that the node lacks are left out.

        Raises
        ------
        MsdepthError
            If the node does not answer.
        """
        names = list(_READ)
        answer = self._call(self._get, GetParameters.Request(names=names))
        # If a node of another version lacks one, it returns no values at all.
        if len(answer.values) != len(names):
            singly = [
                self._call(self._get, GetParameters.Request(names=[name])).values for name in names
            ]
            found = {name: values[0] for name, values in zip(names, singly) if values}
        else:
            found = dict(zip(names, answer.values))
        values = {name: parameter_value_to_python(value) for name, value in found.items()}
        self.values = {name: value for name, value in values.items() if value is not None}
        return self.values

    def set(self, name: str, value: Any) -> None:
        """Set a parameter.

        Raises
        ------
        MsdepthError
            If the node rejects the value, with its reason, or does not answer.
        """
        message = Parameter(name, value=value).to_parameter_msg()
        answer = self._call(self._set, SetParameters.Request(parameters=[message]))
        result: SetParametersResult = answer.results[0]
        if not result.successful:
            raise MsdepthError(result.reason)
        self.values = {**self.values, name: value}

    def save_scale(self) -> str:
        """Let the node store its depth.scale; return its message.

        Raises
        ------
        MsdepthError
            If it cannot, or does not answer.
        """
        answer = self._call(self._save, Trigger.Request())
        if not answer.success:
            raise MsdepthError(answer.message)
        return answer.message

    def _call(self, client: Any, request: Any) -> Any:
        if not client.service_is_ready():
            raise MsdepthError(f'{self._name} does not answer: check that it runs')
        done: Future[Any] = Future()
        client.call_async(request).add_done_callback(lambda answer: done.set_result(answer))
        try:
            return done.result(PATIENCE).result()
        except FutureTimeoutError as error:
            raise MsdepthError(f'{self._name} did not answer in {PATIENCE:.0f} s') from error

    def _on_event(self, event: ParameterEvent) -> None:
        if event.node != self._name:
            return
        changes = {
            message.name: parameter_value_to_python(message.value)
            for message in (*event.new_parameters, *event.changed_parameters)
            if message.name in _READ
        }
        if changes:
            self.values = {**self.values, **changes}
            self._changed(changes)
