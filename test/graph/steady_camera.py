# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A camera that runs at its own rate while a test does something else."""

import threading
import time

from camera_messages import camera_info, uniform

# A preamble for a node: its network takes 0.2 s, but no processor. So it is slower than a camera
# also where a busy machine holds up the camera.
SLOW_NETWORK = """
import time
from msdepth_ros.inference.backends.onnxruntime import OnnxRuntimeBackend
run = OnnxRuntimeBackend.run
OnnxRuntimeBackend.run = lambda backend: (time.sleep(0.2), run(backend))
"""


class SteadyCamera:
    """Publishes an image and its camera_info at a rate, for the length of a `with` block.

    Attributes
    ----------
    sent : the stamps (ns) so far.
    """

    def __init__(self, client, rate=60.0, message=None, info=None):
        self.sent = []
        self._client = client
        self._message = message or uniform()
        self._info = info or camera_info()
        self._period = 1 / rate
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self):
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            self.sent.append(self._client.publish(self._message, self._info))
            due = max(due + self._period, time.monotonic())
