# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A real browser, driven by Playwright: the system's Chromium, no download."""

import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import cv2
import numpy as np
import pytest
from patience import PATIENCE

SIZE = (1280, 800)
_OPTIONS = (
    '--headless=new',
    '--use-gl=angle',
    '--use-angle=swiftshader',
    '--enable-unsafe-swiftshader',
    '--no-sandbox',
)


@contextmanager
def chromium() -> Iterator[Any]:
    """Run Chromium; skip where it, or Playwright, is missing."""
    sync_api = pytest.importorskip('playwright.sync_api', reason='pip install playwright')
    path = shutil.which('chromium') or shutil.which('chromium-browser')
    if path is None:
        pytest.skip('no browser: apt install chromium')
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_OPTIONS))
        yield browser
        browser.close()


class ViewerPage:
    """The viewer's page, as somebody uses it."""

    def __init__(self, browser: Any, address: str, size: tuple[int, int] = SIZE) -> None:
        self._timeout_error = pytest.importorskip('playwright.sync_api').TimeoutError
        self.page = browser.new_page(viewport={'width': size[0], 'height': size[1]})
        self.page.set_default_timeout(1000 * PATIENCE)
        self.page.goto(address)
        try:
            self.page.get_by_alt_text('depth picture').wait_for()
        except self._timeout_error as error:
            raise AssertionError(f'no depth: {self.page.inner_text("body")!r}') from error

    def close(self) -> None:
        self.page.close()

    def open_tab(self, name: str) -> None:
        self.page.get_by_role('tab', name=name).click()

    def choose_view(self, name: str) -> None:
        self.choose('large view', name)

    def choose(self, menu: str, option: str) -> None:
        """Choose from a menu; it closes, and is opened again, if it changes meanwhile.

        The option is clicked on as soon as it is there: a busy browser draws so slowly that an open
        menu may change again and again before it is at rest.
        """
        end = time.monotonic() + PATIENCE
        box = self.page.get_by_role('combobox', name=menu)
        wanted = self.page.get_by_role('option', name=option, exact=True)
        while box.input_value() != option:
            assert time.monotonic() < end, f'no {option!r} in {menu!r}'
            if box.get_attribute('aria-expanded') != 'true':
                box.dispatch_event('click')
            with suppress(self._timeout_error):
                wanted.dispatch_event('click', timeout=1000)

    def picture(self) -> np.ndarray:
        """Return what the page looks like, uint8 [height, width, 3] BGR."""
        return cv2.imdecode(np.frombuffer(self.page.screenshot(), np.uint8), cv2.IMREAD_COLOR)

    def look_until(self, true: Callable[[np.ndarray], Any], what: str) -> np.ndarray:
        """Return the first picture of the page of which something is true."""
        end = time.monotonic() + PATIENCE
        while not true(picture := self.picture()):
            assert time.monotonic() < end, f'not within {PATIENCE:.0f} s: {what}'
        return picture

    def wait_for_text(self, text: str | re.Pattern[str]) -> str:
        """Return the whole text of the innermost element that holds one."""
        found = self.page.get_by_text(text).first
        found.wait_for()
        return found.inner_text()

    def click_until(self, place: tuple[float, float], text: str) -> None:
        """Click on a place of the page until it shows a text: a busy page may miss a click."""
        end = time.monotonic() + PATIENCE
        while True:
            self.page.mouse.click(*place)
            try:
                self.page.get_by_text(text).first.wait_for(timeout=10_000)
                return
            except self._timeout_error:
                assert time.monotonic() < end, f'no {text!r} within {PATIENCE:.0f} s'

    def source_of(self, picture: str) -> str:
        """Return the bytes of a picture of the panel, as the page holds them."""
        return self.page.get_by_alt_text(f'{picture} picture').get_attribute('src')


def share_of(picture: np.ndarray, bgr: Any, tolerance: int = 30) -> float:
    """Return the share of pixels that have a colour."""
    distance = np.abs(picture.astype(int) - np.array(bgr, int)).max(axis=-1)
    return float((distance <= tolerance).mean())
