# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The widgets of the tape measure on a page."""

from collections.abc import Callable
from typing import Any

import viser

from msdepth_ros.errors import MsdepthError
from msdepth_ros.viewer.node_parameters import NodeParameters
from msdepth_ros.viewer.tape import FEWEST, Measurement, fit_scale
from msdepth_ros.viewer.words import tape_html

_HELP = (
    'Click on a point, measure the distance from the lens to it with a tape, and type it. Do this '
    'for two or more points, near and far.'
)


class TapePanel:
    """Collects tape measurements and sets depth.scale from them."""

    def __init__(
        self,
        gui: viser.GuiApi,
        parameters: NodeParameters,
        picked: Callable[[], float | None],
        tell: Callable[[str, str, bool], None],
        read_only: bool,
    ) -> None:
        """Make the widgets.

        Parameters
        ----------
        gui : the page's widgets.
        parameters : parameters of the depth node.
        picked : returns the distance of the last point clicked on, metres; None without one.
        tell : shows a message: title, text, and whether it is an error.
        read_only : whether the scale cannot be set.
        """
        self._parameters = parameters
        self._picked = picked
        self._tell = tell
        self._measurements: list[Measurement] = []
        gui.add_markdown(_HELP)
        self._true = gui.add_number('true distance (m)', 1.0, min=0.05, max=100.0, step=0.01)
        add = gui.add_button('Add the point clicked on')
        back = gui.add_button('Remove the last one')
        self._table = gui.add_html('')
        apply = gui.add_button('Set depth.scale and keep it', disabled=read_only)
        add.on_click(lambda _: self._guarded(self._add))
        back.on_click(lambda _: self._guarded(self._back))
        apply.on_click(lambda _: self._guarded(self._apply))

    def refresh(self) -> None:
        """Show the measurements with the present scale."""
        content = tape_html(self._measurements, self._scale())
        if self._table.content != content:
            self._table.content = content

    def _scale(self) -> float:
        return float(self._parameters.values.get('depth.scale', 1.0))

    def _add(self) -> None:
        distance = self._picked()
        if distance is None:
            raise MsdepthError('first click on a point in a large picture or in the cloud')
        self._measurements.append(Measurement(distance, self._true.value, self._scale()))

    def _back(self) -> None:
        if self._measurements:
            self._measurements.pop()

    def _apply(self) -> None:
        if len(self._measurements) < FEWEST:
            raise MsdepthError(f'measure at least {FEWEST} points')
        self._parameters.set('depth.scale', fit_scale(self._measurements).scale)
        self._tell('Scale set', self._parameters.save_scale(), False)

    def _guarded(self, work: Callable[[], Any]) -> None:
        try:
            work()
        except MsdepthError as error:
            self._tell('Tape measure', str(error), True)
        self.refresh()
