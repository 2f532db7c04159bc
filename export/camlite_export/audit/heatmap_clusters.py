"""Groups of heatmaps that lie alike: spectral relevance analysis (SpRAy; Lapuschkin et al., 2019).

A shortcut that a part of the images shares (a watermark, a border) is a group of its own, however good the average
looks. The number of groups is where the eigenvalues of the graph's Laplacian leave the widest gap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SEED = 0
_LEAST_MAPS = 12
_MOST_GROUPS = 6
# Of more maps the eigenvalues take long; evenly spread ones tell as much.
_MOST_MAPS = 400
# Maps that are further apart are as good as strangers; a graph in pieces has no eigenvectors to speak of.
_FAR = 20.0


@dataclass(frozen=True)
class Group:
    """Images whose evidence lies alike.

    Attributes:
        share: of the maps that were grouped.
        mean: of their maps, float32 (h, w).
        members: positions among the maps that were given, the most typical first.
    """

    share: float
    mean: NDArray[np.float32]
    members: NDArray[np.intp]


def groups(maps: NDArray[np.float32]) -> list[Group]:
    """Group maps (n, h, w) of one class, the largest group first; one group where no gap tells several."""
    step = -(-len(maps) // _MOST_MAPS) or 1
    places = np.arange(0, len(maps), step)
    rows = np.sqrt(maps[places].reshape(len(places), -1))  # distances of shares, after Hellinger
    members = np.zeros(len(rows), np.intp) if len(rows) < _LEAST_MAPS else _split(rows)
    found = []
    for k in np.unique(members):
        mine = np.flatnonzero(members == k)
        distances = np.square(rows[mine] - rows[mine].mean(axis=0)).sum(axis=1)
        typical = places[mine[np.argsort(distances, kind="stable")]]
        found.append(Group(len(mine) / len(rows), maps[typical].mean(axis=0), typical))
    return sorted(found, key=lambda group: -group.share)


def _split(rows: NDArray[np.float32]) -> NDArray[np.intp]:
    """The group of each row.

    Two maps are akin where they are no further apart than a map and the nearest quarter of all others usually are:
    the graph of maps that scatter about one place is then of one piece.
    """
    from scipy.sparse.csgraph import laplacian
    from scipy.spatial.distance import cdist
    from sklearn.cluster import SpectralClustering

    distances = cdist(rows, rows, "sqeuclidean")
    scale = float(np.median(np.sort(distances, axis=1)[:, len(rows) // 4]))
    if not scale:
        return np.zeros(len(rows), np.intp)
    affinity = np.exp(-np.minimum(distances / scale, _FAR))
    values = np.linalg.eigvalsh(laplacian(affinity, normed=True))[: _MOST_GROUPS + 1]
    count = int(np.diff(values).argmax()) + 1
    if count == 1:
        return np.zeros(len(rows), np.intp)
    # Discrete labels from the eigenvectors: k-means would depend on where it starts.
    found = SpectralClustering(count, affinity="precomputed", assign_labels="cluster_qr", random_state=_SEED)
    return np.asarray(found.fit_predict(affinity), np.intp)
