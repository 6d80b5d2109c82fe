# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The errors a user can cause; each message says what is wrong and what to do next."""

_LONGEST = 40  # characters of external text that a message shows


class MsdepthError(Exception):
    """Base of every error that is reported as one line instead of a traceback."""


class ModelError(MsdepthError):
    """A model file or its YAML is missing, damaged, or not what the YAML says."""


class BackendError(MsdepthError):
    """The runtime cannot be used: not installed, no device, or it failed while running."""


class RuntimeMissingError(BackendError):
    """A runtime is not installed on this machine."""


class CalibrationError(MsdepthError):
    """A camera calibration cannot be used."""


class ImageError(MsdepthError):
    """An image cannot be used: its size, layout, encoding or bytes are wrong."""


def quoted(text: str) -> str:
    """Return external text for a message: in quotes, on one line, shortened."""
    return repr(text if len(text) <= _LONGEST else f'{text[:_LONGEST]}...')
