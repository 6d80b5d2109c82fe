# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""When a page counts as asleep, and that a slow one wakes up again."""

from types import SimpleNamespace

import pytest

page_module = pytest.importorskip('msdepth_ros.viewer.page', reason='needs viser')


def test_a_page_that_replies_late_is_asleep_and_wakes_up_with_its_reply():
    limits, asleep = [], []

    def get_item(key, timeout):
        limits.append(timeout)
        assert len(limits) < 5
        asleep.append(not page.awake)
        if timeout is not None:  # each reply comes after the limit
            raise TimeoutError

    storage = SimpleNamespace(get_item=get_item)
    page = page_module.Page(SimpleNamespace(local_storage=storage), None, None)
    assert page._replied()
    assert asleep == [False, True]
    assert limits[1] is None
    assert page.awake
