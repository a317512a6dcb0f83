"""Statistics of frames, and how well a small network tells phantom from real on patches."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

F32 = NDArray[np.float32]
PATCH = 32
EPOCHS = 12
BATCH = 64


def frame_statistics(images: F32) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation over frames [M, H, W] (logarithms of the signal) of a few numbers a frame.

    ``mean`` and ``sd`` of ln signal; ``skewness``; gradient magnitude (a pixel is about 1.7 mm at the isocentre): its
    ``gradient_median`` and ``gradient_p95``; ``fine_detail``: sd of the frame less its Gaussian blur
    (sigma 1 pixel) over the frame's sd.
    """
    rows: dict[str, list[float]] = {}
    for image in images:
        slope = np.hypot(*np.gradient(image))
        fine = image - ndimage.gaussian_filter(image, 1.0)
        values = {
            "mean": image.mean(),
            "sd": image.std(),
            "skewness": stats.skew(image, axis=None),
            "gradient_median": np.median(slope),
            "gradient_p95": np.percentile(slope, 95),
            "fine_detail": fine.std() / image.std(),
        }
        for name, value in values.items():
            rows.setdefault(name, []).append(float(value))
    return {name: (float(np.mean(v)), float(np.std(v))) for name, v in rows.items()}


def patches(images: F32, count: int, rng: np.random.Generator) -> F32:
    """Random patches [count, 1, 32, 32], each of mean 0 and standard deviation 1; even ones are passed over."""
    out = np.empty((count, 1, PATCH, PATCH), np.float32)
    filled = tries = 0
    while filled < count and tries < 50 * count:
        tries += 1
        image = images[rng.integers(len(images))]
        r, c = rng.integers(0, image.shape[0] - PATCH + 1, 2)
        patch = image[r : r + PATCH, c : c + PATCH]
        if patch.std() > 0.05 and patch.max() < -0.2:
            out[filled, 0] = (patch - patch.mean()) / patch.std()
            filled += 1
    return out[:filled]


def auc(scores: NDArray[Any], truth: NDArray[Any]) -> float:
    """Area under the ROC curve by ranks (ties count half)."""
    positive = int(truth.sum())
    negative = len(truth) - positive
    ranks = stats.rankdata(scores)
    return float((ranks[truth.astype(bool)].sum() - positive * (positive + 1) / 2) / (positive * negative))


def classifier_auc(train: tuple[F32, F32], test: tuple[F32, F32], seed: int = 0) -> float:
    """Trains a small convolutional network on (phantom, real) patches and returns its AUC on others: 0.5 means it
    cannot tell them apart, 1 that it always can."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for into, out in ((1, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(into, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU(), nn.MaxPool2d(2)]
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 1))
    least = min(map(len, train))
    x = torch.from_numpy(np.concatenate([train[0][:least], train[1][:least]]))
    y = torch.cat([torch.zeros(least), torch.ones(least)])
    optimiser = torch.optim.Adam(net.parameters(), 1e-3, weight_decay=1e-4)
    order = torch.Generator().manual_seed(seed)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(x), generator=order).split(BATCH):
            optimiser.zero_grad()
            loss = nn.functional.binary_cross_entropy_with_logits(net(x[batch])[:, 0], y[batch])
            loss.backward()
            optimiser.step()
    net.eval()
    with torch.no_grad():
        scores = np.concatenate([net(torch.from_numpy(part))[:, 0].numpy() for part in test])
    return auc(scores, np.concatenate([np.zeros(len(test[0])), np.ones(len(test[1]))]))
