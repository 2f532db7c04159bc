"""Logits as a reader adds them up, of evidence by gradient and the bias of the active pieces."""

from __future__ import annotations

import numpy as np


def logits(evidence: np.ndarray, bias: np.ndarray, top: np.ndarray) -> np.ndarray:
    """(N, K) of evidence (N, h, w, K), or (N, h, w, 1) of the classes `top` (N,), and bias (N, K)."""
    added, found = evidence.sum(axis=(1, 2)), bias.copy()
    if added.shape == found.shape:
        return found + added
    found[np.arange(len(top)), top] += added[:, 0]
    return found
