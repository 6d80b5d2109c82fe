# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a small training set cannot teach: features of a network that has seen ImageNet.

The paper starts its convolutions from ImageNet weights. Where those of one's own network are not
to be had, it can learn to predict the features of another network that has them, on the very
images it is trained on (Romero et al. 2015, "hints").
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from msdepth_ros.networks import distributed
from msdepth_ros.networks.depth_network import DepthNetwork
from msdepth_ros.networks.efficientnet_lite import EfficientNetLite


class FeatureTeacher(nn.Module):
    """Compares a network's feature maps with those of EfficientNet-Lite0, deepest with deepest.

    Only the linear projections from the student's channels to the teacher's are trained.
    """

    def __init__(self, student: DepthNetwork) -> None:
        super().__init__()
        self.encoder = EfficientNetLite().requires_grad_(False).eval()
        count = len(student.feature_channels)
        self.projections = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 1)
            for inputs, outputs in zip(
                student.feature_channels, self.encoder.channels[-count:], strict=True
            )
        )

    def train(self, mode: bool = True) -> 'FeatureTeacher':
        """Switch the projections' mode; the encoder's normalisation never learns."""
        super().train(mode)
        self.encoder.eval()
        return self

    def forward(self, image: Tensor, features: tuple[Tensor, ...]) -> Tensor:
        """Return the mean squared error of the predicted features, each channel standardised.

        Parameters
        ----------
        image : float [N, 3, H, W], from `normalise`.
        features : the student's, as `DepthNetwork.supervised` gives them for `image`.

        """
        with torch.no_grad():
            targets = self.encoder(image)[-len(features) :]
        total = image.new_zeros(())
        for feature, target, project in zip(features, targets, self.projections, strict=True):
            height, width = feature.shape[-2:]
            seen = functional.adaptive_avg_pool2d(target.float(), (height, width))
            batch = distributed.gathered(seen)
            mean = batch.mean(dim=(0, 2, 3), keepdim=True)
            deviation = batch.std(dim=(0, 2, 3), keepdim=True)
            wanted = (seen - mean) / (deviation + 1e-3)
            total = total + functional.mse_loss(project(feature).float(), wanted)
        return total / len(features)
