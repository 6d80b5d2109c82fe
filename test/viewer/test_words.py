# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the page says, and that nothing that comes from elsewhere becomes markup."""

import re

import numpy as np
import pytest

from msdepth_ros.images.pictures import colorize
from msdepth_ros.viewer.picking import Pick
from msdepth_ros.viewer.tape import Measurement
from msdepth_ros.viewer.words import (
    confidence_picture,
    diagnostics_html,
    pick_html,
    picture_html,
    scale_html,
    status_html,
    tape_html,
)

EVIL = '<script>alert(1)</script>'


WORDS = {'OK': 'running', 'WARN': 'warning', 'ERROR': 'error', 'STALE': 'no data'}


@pytest.mark.parametrize(('level', 'word'), WORDS.items())
def test_each_level_has_a_word_and_a_colour_of_its_own(level, word):
    html = status_html(level, 'so it is')
    assert f'>{word}</b> so it is' in html
    colors = {re.search('#[0-9a-f]{6}', status_html(each, ''))[0] for each in ('OK', 'WARN', level)}
    assert len(colors) == len({'OK', 'WARN', level})


@pytest.mark.parametrize(
    'html',
    [
        status_html('OK', EVIL),
        status_html(EVIL, ''),
        diagnostics_html({EVIL: EVIL, 'model': EVIL, 'metric scale': EVIL}, 0.1),
        pick_html(Pick(1.0, np.ones(3)), None, None, EVIL),
        picture_html(np.zeros((2, 2, 3), np.uint8), 50, EVIL),
    ],
)
def test_text_from_elsewhere_is_no_markup(html):
    assert '<script' not in html


def test_the_usual_lines_come_first_and_everything_else_is_there():
    values = {'engine': 'running', 'model': 'msdepth', 'output rate (Hz)': '29.9'}
    html = diagnostics_html(values, 0.123)
    assert html.index('msdepth') < html.index('29.9 Hz') < html.index('123 ms')
    assert html.index('<details>') < html.index('engine')


def test_the_source_of_the_metres_is_among_the_usual_lines():
    values = {
        'engine': 'running',
        'metres': 'measured',
        'metric factor': '1.230 +- 0.040',
        'measured scan': '41 used, 12 ms from the image; disagrees 3',
    }
    html = diagnostics_html(values, 0.0)
    usual = html[: html.index('<details>')]
    for text in values.values():
        assert (text in usual) == (text != 'running')


def test_lines_that_a_node_lacks_are_left_out():
    assert 'Model' not in diagnostics_html({}, 0.0)


def test_the_metres_scale_has_the_colours_of_the_depth_picture():
    html = scale_html()
    for depth in (0.3, 10.0):
        blue, green, red = colorize(np.array([[depth]], np.float32))[0, 0]
        assert f'rgb({red},{green},{blue})' in html
    assert '2 m' in html
    assert 'aria-label' in html


def test_confidence_has_fixed_colours_and_unknown_is_black():
    picture = confidence_picture(np.array([[0.0, 1.0, np.nan, 2.0]], np.float32))
    assert (picture[0, 0] != picture[0, 1]).any()
    assert not picture[0, 2].any()
    assert (picture[0, 3] == picture[0, 1]).all()


def test_a_point_is_described_by_distance_depth_height_and_confidence():
    html = pick_html(Pick(4.0, np.array([3.0, 0.0, 4.0])), 0.25, 0.8)
    assert '5.00 m' in html
    assert 'depth 4.00 m' in html
    assert '0.25 m above the floor' in html
    assert '80%' in html
    assert 'set camera_pose' in pick_html(Pick(4.0, np.ones(3)), None, None)
    html = pick_html(Pick(4.0, None), None, float('nan'))
    assert 'floor' not in html
    assert 'nan' not in html
    assert 'No depth' in pick_html(None, None, None)


def test_pictures_are_named_for_those_who_do_not_see_them():
    assert 'alt="depth picture"' in picture_html(np.zeros((2, 2, 3), np.uint8), 50, 'depth')


def test_the_tape_measure_shows_what_is_left():
    html = tape_html([Measurement(2.0, 2.2), Measurement(3.0, 3.9)], 1.0)
    assert '+9.4%' not in html
    assert '-9.1%' in html  # 2.0 m for 2.2 m
    assert '1.196' in html  # sqrt(1.1 * 1.3)
    assert '+8.7%' in html  # 1.196 / 1.1 - 1
    assert 'one more' in tape_html([Measurement(2.0, 2.2)], 1.0)
    assert tape_html([], 1.0) == ''
