# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C waits for the end of a step, the second one does not."""

import signal
import threading

import pytest

from msdepth_ros.training.interruption import deferred_interrupt


def test_the_first_interrupt_waits_until_it_is_heeded():
    before = signal.getsignal(signal.SIGINT)
    with deferred_interrupt() as heed:
        heed()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            heed()
    assert signal.getsignal(signal.SIGINT) is before


def test_the_second_interrupt_does_not_wait():
    with deferred_interrupt():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_in_another_thread_nothing_changes():
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def use():
        with deferred_interrupt() as heed:
            heed()
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert seen == [before]
