# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The tape measure on a page."""

from collections.abc import Callable
from typing import Any

import viser

from msdepth_ros.errors import MsdepthError
from msdepth_ros.viewer.node_parameters import NodeParameters
from msdepth_ros.viewer.tape import FEWEST, Measurement, fit_scale
from msdepth_ros.viewer.words import tape_html

_HELP = (
    'Click on a point, measure from the lens to it with a tape, type the distance. Two or more '
    'points, near and far.'
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
        picked : returns the distance of the point clicked on last, metres; None without one.
        tell : is given a title, a text, and whether something went wrong.
        """
        self._parameters = parameters
        self._picked = picked
        self._tell = tell
        self._measurements: list[Measurement] = []
        gui.add_markdown(_HELP)
        self._true = gui.add_number('true distance (m)', 1.0, min=0.05, max=100.0, step=0.01)
        add = gui.add_button('Add the point clicked on')
        back = gui.add_button('Forget the last one')
        self._table = gui.add_html('')
        apply = gui.add_button('Set depth.scale and keep it', disabled=read_only)
        add.on_click(lambda _: self._guarded(self._add))
        back.on_click(lambda _: self._guarded(self._back))
        apply.on_click(lambda _: self._guarded(self._apply))

    def refresh(self) -> None:
        """Show the measurements under the present scale."""
        content = tape_html(self._measurements, self._scale())
        if self._table.content != content:
            self._table.content = content

    def _scale(self) -> float:
        return float(self._parameters.values.get('depth.scale', 1.0))

    def _add(self) -> None:
        distance = self._picked()
        if distance is None:
            raise MsdepthError('click on a point in the picture or in the cloud first')
        self._measurements.append(Measurement(distance, self._true.value, self._scale()))

    def _back(self) -> None:
        if self._measurements:
            self._measurements.pop()

    def _apply(self) -> None:
        if len(self._measurements) < FEWEST:
            raise MsdepthError(f'measure at {FEWEST} points at least')
        self._parameters.set('depth.scale', fit_scale(self._measurements).scale)
        self._tell('Scale set', self._parameters.save_scale(), False)

    def _guarded(self, work: Callable[[], Any]) -> None:
        try:
            work()
        except MsdepthError as error:
            self._tell('Tape measure', str(error), True)
        self.refresh()
