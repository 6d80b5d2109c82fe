# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The widgets of a page and their layout."""

from typing import Any

import viser

from msdepth_ros.viewer.words import confidence_scale_html, scale_html, status_html

SPACE, CAMERA, DEPTH, CONFIDENCE = '3D', 'camera', 'depth', 'confidence'
_BRAND = (32, 110, 170)
_RECORD = (
    'Writes the last ten seconds as a folder for `msdepth evaluate` and `camera_player`, on the '
    'machine that serves this page.'
)


class Layout:
    """The widgets of one page.

    Attributes
    ----------
    status : state of the node, one line.
    words : the point clicked on.
    details : the values of /diagnostics.
    menu : the camera that is shown; hidden if there is only one.
    view : what fills the page: SPACE, CAMERA, DEPTH or CONFIDENCE.
    pictures : the pictures CAMERA, DEPTH and CONFIDENCE.
    confidence : folder of the confidence picture.
    tune, tape : folders for the widgets of one node.
    record, dark : a button and a checkbox.
    """

    def __init__(self, gui: viser.GuiApi, read_only: bool, dark: bool) -> None:
        self._gui = gui
        self.set_theme(dark)
        self.status = gui.add_html(status_html('STALE', ''))
        self.menu: Any = gui.add_dropdown('shown camera', ('',), visible=False)
        self.view = gui.add_dropdown(
            'large view', (SPACE, CAMERA, DEPTH, CONFIDENCE), hint='What fills the page.'
        )
        self.words = gui.add_html('')
        self.pictures: dict[str, viser.GuiHtmlHandle] = {}
        tabs = gui.add_tab_group()
        with tabs.add_tab('Look'):
            for name in (CAMERA, DEPTH):
                self.pictures[name] = gui.add_html('')
            gui.add_html(scale_html())
            self.confidence = gui.add_folder('confidence', visible=False)
            with self.confidence:
                self.pictures[CONFIDENCE] = gui.add_html('')
                gui.add_html(confidence_scale_html())
            self.dark = gui.add_checkbox('dark page', dark)
        with tabs.add_tab('Tune'):
            self.tune = gui.add_folder('parameters of the node')
        with tabs.add_tab('Tape'):
            self.tape = gui.add_folder('tape measure')
        with tabs.add_tab('State'):
            self.details = gui.add_html('')
        with tabs.add_tab('Record'):
            gui.add_markdown(_RECORD)
            self.record = gui.add_button('Keep the last 10 seconds', disabled=read_only)

    def set_theme(self, dark: bool) -> None:
        """Make the page dark or light."""
        self._gui.configure_theme(
            dark_mode=dark, show_logo=False, show_share_button=False, brand_color=_BRAND
        )

    def name_cameras(self, titles: tuple[str, ...]) -> None:
        """Put these cameras into the menu."""
        self.menu.visible = len(titles) > 1
        if titles:
            self.menu.options = titles

    def clear_node(self) -> None:
        """Remove the widgets of one node."""
        for folder in (self.tune, self.tape):
            for child in tuple(folder._children.values()):
                child.remove()
