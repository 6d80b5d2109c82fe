# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sliders and menus for the parameters that can change while the depth node runs."""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

from viser import GuiApi

from msdepth_ros.errors import MsdepthError
from msdepth_ros.inference.model import model_names
from msdepth_ros.node.parameter_table import NodeParameter
from msdepth_ros.viewer.node_parameters import TUNABLE, NodeParameters, Values

_QUIET = 0.3  # seconds without a change after which a value is set
# (lowest, highest, step) of sliders for parameters with a very wide range.
_SLIDERS = {
    'depth.min': (0.0, 5.0, 0.05),
    'depth.max': (0.0, 20.0, 0.1),
    'depth.scale': (0.2, 5.0, 0.001),
    'depth.edge_threshold': (0.0, 1.0, 0.01),
    'points.stride': (1, 16, 1),
    'points.min_range': (0.0, 5.0, 0.05),
    'points.max_range': (0.0, 20.0, 0.1),
    'points.voxel_size': (0.0, 0.5, 0.005),
    'scan.range_min': (0.0, 5.0, 0.05),
    'scan.range_max': (0.0, 20.0, 0.1),
    'scan.scan_height': (1, 200, 1),
    'camera_height': (0.0, 3.0, 0.01),
}
_WIDEST = 4  # the widest range that a slider shows completely
_OPEN = ('depth',)  # groups that are open at first


class Controls:
    """The widgets of one node's parameters on one page."""

    def __init__(
        self,
        gui: GuiApi,
        parameters: NodeParameters,
        refused: Callable[[str, str], None],
        read_only: bool,
    ) -> None:
        """Make the widgets.

        Parameters
        ----------
        gui : the page's widgets.
        parameters : parameters of the node, already read.
        refused : called with the name and the reason if the node rejects a value.
        read_only : whether the widgets are disabled.
        """
        self._parameters = parameters
        self._refused = refused
        self._widgets: dict[str, Any] = {}
        self._setter = Setter(self._set)
        values = parameters.values
        for group, names in _groups(values).items():
            with gui.add_folder(group, expand_by_default=group in _OPEN):
                for name in names:
                    self._add(gui, TUNABLE[name], values[name], read_only)

    def show(self, changes: Values) -> None:
        """Show values that were set elsewhere."""
        for name, value in changes.items():
            widget = self._widgets.get(name)
            if widget is not None and widget.value != value and not self._setter.busy(name):
                with contextlib.suppress(AssertionError, ValueError):  # outside the slider
                    widget.value = value

    def _add(self, gui: GuiApi, parameter: NodeParameter, value: Any, read_only: bool) -> None:
        widget = _widget(gui, parameter, value, read_only)
        if widget is None:
            return
        self._widgets[parameter.name] = widget

        def changed(event: Any) -> None:
            if event.client is not None:  # otherwise this program set it
                self._setter.put(parameter.name, _typed(parameter, event.target.value))

        if not read_only:
            widget.on_update(changed)

    def _set(self, name: str, value: Any) -> None:
        try:
            self._parameters.set(name, value)
        except MsdepthError as error:
            self._refused(name, str(error))
            before = self._parameters.values.get(name)
            if before is not None:
                self._widgets[name].value = before


class Setter:
    """Sets values one at a time, when they have stopped changing; the newest of a name counts."""

    def __init__(self, set_value: Callable[[str, Any], None], quiet: float = _QUIET) -> None:
        self._set = set_value
        self._quiet = quiet
        self._wanted: dict[str, tuple[Any, float]] = {}
        self._working = False
        self._lock = threading.Lock()

    def put(self, name: str, value: Any) -> None:
        """Set a value after the quiet time; return at once if another thread does it."""
        with self._lock:
            self._wanted[name] = value, time.monotonic() + self._quiet
            if self._working:
                return
            self._working = True
        while (chosen := self._next()) is not None:
            self._set(*chosen)

    def busy(self, name: str) -> bool:
        """Return whether a value for this name is waiting to be set."""
        return name in self._wanted

    def _next(self) -> tuple[str, Any] | None:
        while True:
            with self._lock:
                if not self._wanted:
                    self._working = False
                    return None
                name, (value, due) = min(self._wanted.items(), key=lambda item: item[1][1])
                if due <= time.monotonic():
                    del self._wanted[name]
                    return name, value
            time.sleep(max(0.0, due - time.monotonic()))


def _groups(values: Values) -> dict[str, list[str]]:
    """Return the names of the node's parameters by group, the part before the dot."""
    groups: dict[str, list[str]] = {}
    for name in TUNABLE:
        if name in values:
            group = name.split('.')[0] if '.' in name else 'camera and model'
            groups.setdefault(group, []).append(name)
    return dict(sorted(groups.items(), key=lambda item: item[0] not in _OPEN))


def _widget(gui: GuiApi, parameter: NodeParameter, value: Any, read_only: bool) -> Any:
    """Return a widget for a parameter, None for a free text."""
    label = parameter.name.rpartition('.')[2].replace('_', ' ')
    common: dict[str, Any] = {'hint': parameter.description, 'disabled': read_only}
    if isinstance(parameter.default, bool):
        return gui.add_checkbox(label, bool(value), **common)
    if isinstance(parameter.default, str):
        choices = model_names() if parameter.name == 'model' else list(parameter.limits)
        if not choices:
            return None
        options = list(dict.fromkeys([*choices, str(value)]))
        return gui.add_dropdown(label, options, initial_value=str(value), **common)
    if not isinstance(parameter.default, int | float) or not parameter.limits:
        return None
    low, high = parameter.limits
    spanned = _SLIDERS.get(parameter.name)
    if spanned is None and high - low <= _WIDEST:
        spanned = (low, high, 1 if isinstance(parameter.default, int) else (high - low) / 200)
    if spanned is not None and spanned[0] <= value <= spanned[1]:
        low, high, step = spanned
        return gui.add_slider(label, low, high, step, initial_value=value, **common)
    return gui.add_number(label, value, min=low, max=high, **common)


def _typed(parameter: NodeParameter, value: Any) -> Any:
    """Return a widget's value in the type of the parameter; a slider may return 2 for 2.0."""
    return type(parameter.default)(value)
