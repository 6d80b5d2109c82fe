# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A lifecycle node that survives what it is asked and what goes wrong in a transition."""

import inspect
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from lifecycle_msgs.msg import Transition
from rcl_interfaces.msg import SetParametersResult
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

# Transitions to a state in which the node is.
_DONE = (
    (Transition.TRANSITION_CONFIGURE, 'inactive'),
    (Transition.TRANSITION_ACTIVATE, 'active'),
)
_Transition = Callable[[LifecycleState], TransitionCallbackReturn]


class SteadyLifecycleNode(LifecycleNode):
    """As rclpy's, whose process ends at a transition that its state does not have.

    An impossible transition raises RCLError in the service's callback up to Jazzy
    (ros2/rclpy#1209); here it is refused with a line in the log. And rclpy drops what a transition
    raises without a word; here the log has it.

    A node that started itself can still be given to a manager, as Nav2's, that configures it, wants
    it inactive, then activates it: `configure` of a node that is configured succeeds and leaves it
    inactive, and `activate` of an active one succeeds.

    Attributes
    ----------
    transition_error : what the last transition raised that raised anything.
    """

    transition_error = ''

    def _attempt(
        self, transition: _Transition, previous: LifecycleState
    ) -> TransitionCallbackReturn:
        """Return what a transition returns; log what it raises and return ERROR."""
        try:
            return transition(previous)
        except Exception as error:
            if self.context.ok():  # else a signal shut it down under the transition
                self.transition_error = f'a transition failed: {error!r}'
                self.get_logger().error(self.transition_error)
            return TransitionCallbackReturn.ERROR

    def create_service(self, srv_type: Any, srv_name: str, callback: Any, **options: Any) -> Any:
        """Create a service whose callback may raise anything: the answer says it.

        rclpy lets what a service's callback raises end the process.
        """

        def refuse(error: Exception, request: Any, response: Any) -> Any:
            if not self.context.ok():  # a signal shut it down under the call
                raise error
            text = f'{srv_name} failed: {error!r}'
            self.get_logger().error(text)
            if hasattr(response, 'success'):
                response.success = False
            if hasattr(response, 'message'):
                response.message = text
            refused = SetParametersResult(successful=False, reason=text)
            if hasattr(response, 'results'):
                response.results = [refused for _ in getattr(request, 'parameters', ())]
            if isinstance(getattr(response, 'result', None), SetParametersResult):
                response.result = refused
            return response

        @wraps(callback)
        def served(request: Any, response: Any) -> Any:
            try:
                return callback(request, response)
            except Exception as error:
                return refuse(error, request, response)

        @wraps(callback)
        async def served_later(request: Any, response: Any) -> Any:
            try:
                return await callback(request, response)
            except Exception as error:
                return refuse(error, request, response)

        guarded = served_later if inspect.iscoroutinefunction(callback) else served
        return super().create_service(srv_type, srv_name, guarded, **options)

    # The mixin's own private methods. All of on_configure ... are registered by the first, and
    # `change_state` and trigger_configure ... all go through the second.
    def _LifecycleNodeMixin__register_callback(  # noqa: N802
        self, state_id: int, callback: _Transition
    ) -> bool:
        register = super()._LifecycleNodeMixin__register_callback  # type: ignore[misc]
        return bool(register(state_id, partial(self._attempt, callback)))

    def _LifecycleNodeMixin__change_state(  # noqa: N802
        self, transition_id: int
    ) -> TransitionCallbackReturn:
        _, state = self._state_machine.current_state
        if (transition_id, state) in _DONE:
            return TransitionCallbackReturn.SUCCESS
        if (transition_id, state) == (Transition.TRANSITION_CONFIGURE, 'active'):
            self.get_logger().info('configured already: inactive until it is activated')
            transition_id = Transition.TRANSITION_DEACTIVATE
        try:
            return super()._LifecycleNodeMixin__change_state(transition_id)  # type: ignore[misc]
        except RuntimeError as error:  # RCLError is one
            if not self.context.ok():
                raise
            reason = ' '.join(str(error).split())
            self.get_logger().warning(f'transition {transition_id} is refused: {reason}')
            return TransitionCallbackReturn.FAILURE
