# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Other people's depth networks, exported to ONNX, made into model files of ours."""
