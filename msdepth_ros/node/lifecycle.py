# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A lifecycle node that survives impossible and failing transitions."""

import inspect
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from lifecycle_msgs.msg import Transition
from rcl_interfaces.msg import SetParametersResult
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

# Transitions to the state in which the node is already.
_DONE = (
    (Transition.TRANSITION_CONFIGURE, 'inactive'),
    (Transition.TRANSITION_ACTIVATE, 'active'),
)
_Transition = Callable[[LifecycleState], TransitionCallbackReturn]


class SteadyLifecycleNode(LifecycleNode):
    """A LifecycleNode without three weaknesses of rclpy's.

    - Up to Jazzy, an impossible transition ends the process, because the service's callback raises
      RCLError (ros2/rclpy#1209). Here it is refused with a warning.
    - rclpy silently drops exceptions of a transition. Here they are logged.
    - A node that activated itself can still be managed, for example by Nav2's manager, which first
      configures and then activates it: `configure` of a configured node succeeds and makes it
      inactive, and `activate` of an active node succeeds.

    Attributes
    ----------
    transition_error : the last error in a transition; '' = none.
    """

    transition_error = ''

    def _attempt(
        self, transition: _Transition, previous: LifecycleState
    ) -> TransitionCallbackReturn:
        """Run a transition; if it raises, log the error and return ERROR."""
        try:
            return transition(previous)
        except Exception as error:
            if self.context.ok():  # otherwise a signal shut it down during the transition
                self.transition_error = f'a transition failed: {error!r}'
                self.get_logger().error(self.transition_error)
            return TransitionCallbackReturn.ERROR

    def create_service(self, srv_type: Any, srv_name: str, callback: Any, **options: Any) -> Any:
        """Create a service; if its callback raises, the response holds the error.

        In rclpy an exception in the callback of a service ends the process.
        """

        def refuse(error: Exception, request: Any, response: Any) -> Any:
            if not self.context.ok():  # a signal shut it down during the call
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

    # Private methods of rclpy's mixin. The first registers on_configure and the others; the service
    # change_state, trigger_configure and the others all call the second.
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
            self.get_logger().info('already configured: now inactive, until it is activated')
            transition_id = Transition.TRANSITION_DEACTIVATE
        try:
            return super()._LifecycleNodeMixin__change_state(transition_id)  # type: ignore[misc]
        except RuntimeError as error:  # RCLError is one
            if not self.context.ok():
                raise
            reason = ' '.join(str(error).split())
            self.get_logger().warning(f'transition {transition_id} is refused: {reason}')
            return TransitionCallbackReturn.FAILURE
