"""The figures of images, one after another: all that an engine need spread."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

import camlite
from camlite.audit import counterfactual, regions
from camlite.images import copies, preprocessing
from camlite.images.fitting import Fitting
from camlite.images.labelled_images import UNKNOWN
from camlite.images.masked_images import Mask, MaskedImages, Partners
from camlite.images.preprocessing import Pixels
from camlite.maps import cam

Floats = NDArray[np.float64]

_SEED = 0


@dataclass(frozen=True)
class Figures:
    """Per-image figures, each (n,) but where another shape is given; NaN where a figure does not exist.

    Evidence is that of the image's class, over what it lends all classes alike where scores come by softmax, which is
    blind to it. Shares are of its positive part.

    Attributes:
        index: of the image, int64.
        audited: the class whose evidence it is: the image's, or the one that is named where that is not known; int64.
        named: the class with the highest score, int64.
        score: of the audited class.
        inside: share of evidence on cells that the object touches; `object_share`: share of such cells.
        peak: 1 where the highest evidence lies on such a cell, else 0 (the pointing game; Zhang et al., 2016).
        region: share of evidence in each of `regions.REGIONS` beside the object, (n, 4); `region_share`: share of
            the picture there.
        off_centre, uniformity: see `camlite.audit.regions`.
        kept, removed: score of the audited class with the surroundings replaced, and with the object replaced, for
            each of `counterfactual.KINDS`, (n, 3).
        region_kept, region_removed: the same where no masks are known, with each of `regions.REGIONS` in the place
            of the object, (n, 4).
        maps: shares of evidence, cell by cell, float32 (n, h, w) of every so-many-th image.
        mapped: indices of those images.
        seen: of the picture and its mask as the classifier sees them, see `camlite.images.copies`; int64.
    """

    index: NDArray[np.int64]
    audited: NDArray[np.int64]
    named: NDArray[np.int64]
    score: Floats
    inside: Floats
    object_share: Floats
    peak: Floats
    region: Floats
    region_share: Floats
    off_centre: Floats
    uniformity: Floats
    kept: Floats
    removed: Floats
    region_kept: Floats
    region_removed: Floats
    maps: NDArray[np.float32]
    mapped: NDArray[np.int64]
    seen: copies.Checksums = field(default_factory=lambda: np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self.index)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Where the audited class is the named one."""
        return np.asarray(self.audited == self.named)


def join(parts: Iterable[Figures]) -> Figures:
    """Figures of several batches as one, in the order of the images' indices."""
    ordered = sorted(parts, key=lambda part: int(part.index[0]))
    names = [one.name for one in fields(Figures)]
    return Figures(**{name: np.concatenate([getattr(part, name) for part in ordered]) for name in names})


def pack(figures: Figures) -> bytes:
    """Figures as an ``.npz``, to be kept or sent."""
    buffer = io.BytesIO()
    np.savez(buffer, **{one.name: getattr(figures, one.name) for one in fields(Figures)})
    return buffer.getvalue()


def unpack(content: bytes) -> Figures:
    """What `pack` has packed."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return Figures(**{one.name: arrays[one.name] for one in fields(Figures)})


class Measuring:
    """Measures images of one data set with one artifact.

    Attributes:
        window: where the grid of cells lies over the classifier's input, that of fine evidence where the artifact has a
            guide.
    """

    def __init__(self, explainer: camlite.Explainer, data: MaskedImages, map_every: int = 1) -> None:
        self._explainer, self._data, self._map_every = explainer, data, map_every
        head, target = explainer.artifact.card.head, explainer.artifact.card.preprocessing
        self._coarse, grid = (head.height, head.width), explainer.artifact.arrays.guide or head
        self.window = grid.window
        self._weights = regions.region_weights(grid.height, grid.width, grid.window)
        self._target = target
        self._fitting = Fitting(target)
        halves = regions.region_weights(target.height, target.width) > 0.5
        self._places_of = dict(zip(regions.REGIONS, halves, strict=True))
        self._partners = Partners(data.images.classes, len(data), _SEED)
        self._contrast = _contrast_weights(explainer)
        self._every_class = range(len(explainer.labels)) if _gives_every_map(explainer) else None

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the classes."""
        return self._explainer.labels

    def __call__(self, indices: Sequence[int]) -> Figures:
        """Figures of these images, at least one of them.

        Raises:
            CamliteError: an image or a mask cannot be read.
        """
        rows = [self._measure(index) for index in indices]
        return Figures(
            **{one.name: np.concatenate([getattr(row, one.name) for row in rows]) for one in fields(Figures)}
        )

    def evidence(self, pixels: Pixels, audited: int | None) -> tuple[int, int, float, cam.Floats]:
        """Audited and named class, score and evidence of the audited class, see `Figures`.

        Evidence is (h, w), or where the artifact has a guide (h', w'), by the guide of the audited class. Where the
        model gives no guide of that class, it is spread evenly around its cells.
        """
        explanation = self._explainer.explain(pixels, self._every_class)
        named = int(explanation.scores.argmax())
        if audited is None:
            audited = named
        score = float(self._probabilities(explanation.scores)[audited])
        maps = self._plain(pixels, explanation, audited, named)
        if self._explainer.redistribution is not None:
            maps = self._explainer.redistribution(maps, self._guide(pixels, explanation, audited, named))
        return audited, named, score, maps

    def _plain(self, pixels: Pixels, explanation: camlite.Explanation, audited: int, named: int) -> cam.Floats:
        """Evidence (h, w) at the places of the features."""
        if self._contrast is not None:
            return np.asarray(cam.evidence(explanation.features, self._contrast, [audited])[0])
        if self._every_class is not None:
            return np.asarray(explanation.evidence[audited] - explanation.evidence.mean(axis=0))
        if audited != named:
            if not self._explainer.any_class:  # it has evidence of the class that it names alone
                return np.zeros(self._coarse, np.float32)
            explanation = self._explainer.explain(pixels, [audited])
        return np.asarray(explanation.evidence.reshape(explanation.evidence.shape[-2:]))

    def _guide(self, pixels: Pixels, explanation: camlite.Explanation, audited: int, named: int) -> cam.Floats:
        """The guide of the audited class (h', w'); zeros where the model gives none."""
        if audited not in explanation.classes or explanation.guide is None:
            if audited != named and not self._explainer.any_class:
                return np.zeros(self._weights.shape[1:], np.float32)
            explanation = self._explainer.explain(pixels, [audited])
        if explanation.guide is None:
            return np.zeros(self._weights.shape[1:], np.float32)
        place = explanation.classes.index(audited)
        return np.asarray(explanation.guide.reshape(-1, *self._weights.shape[1:])[place])

    def _measure(self, index: int) -> Figures:
        pixels = self._data.images[index]
        classes = self._data.images.classes
        audited, named, score, evidence = self.evidence(
            pixels, None if classes is None or classes[index] == UNKNOWN else int(classes[index])
        )
        mask = self._data.mask(index, pixels)
        shares = regions.positive_shares(evidence)
        tried = self._try(self.counterfactuals(index, pixels, mask), audited)
        mapped = index % self._map_every == 0
        return Figures(
            index=np.array([index]),
            audited=np.array([audited]),
            named=np.array([named]),
            score=np.array([score]),
            **self._places(shares, mask),
            **tried,
            maps=shares[np.newaxis][: int(mapped)],
            mapped=np.array([index] if mapped else [], np.int64),
            seen=np.array([copies.checksum(self._fitting.picture(pixels), self._fitting.mask(mask))], np.int64),
        )

    def _places(self, shares: cam.Floats, mask: Mask | None) -> dict[str, Floats]:
        """Where the evidence lies: the figures of the object, of the regions, and of the whole map."""
        cells = np.zeros(shares.shape, np.bool_)
        if mask is not None:
            rows, columns = preprocessing.window(mask.shape[0], mask.shape[1], self._target)
            cells = regions.touched(mask[rows, columns], shares.shape[0], shares.shape[1], self.window)
        beside = self._weights * ~cells
        found = {
            "inside": shares[cells].sum(),
            "object_share": cells.mean(),
            "peak": cells.flat[shares.argmax()],
            "region": (shares * beside).sum(axis=(1, 2)),
            "region_share": beside.mean(axis=(1, 2)),
            "off_centre": regions.off_centre(shares, self.window),
            "uniformity": regions.uniformity(shares),
        }
        missing = {"inside", "object_share", "peak"} if not cells.any() else set()
        if not shares.any():
            missing |= {"inside", "peak", "region", "off_centre", "uniformity"}
        return {
            name: np.asarray(value, np.float64)[np.newaxis] * (np.nan if name in missing else 1.0)
            for name, value in found.items()
        }

    def counterfactuals(self, index: int, pixels: Pixels, mask: Mask | None) -> dict[str, counterfactual.Pair]:
        """The pictures that the score is tried on, by `counterfactual.KINDS`; those that can be made.

        Where no masks are known, by `regions.REGIONS`: the region takes the place of the object.
        """
        partner = self._partners.of(index)
        if partner is None:
            return {}
        picture = self._fitting.picture(pixels)
        other_pixels = self._data.images[partner]
        if self._data.read_mask is None:
            other = self._fitting.picture(other_pixels)
            return {name: counterfactual.swap(picture, place, other) for name, place in self._places_of.items()}
        other, other_mask = (
            self._fitting.picture(other_pixels),
            self._fitting.mask(self._data.mask(partner, other_pixels)),
        )
        surroundings = other if other_mask is None else counterfactual.painted_over(other, other_mask)
        fitted = self._fitting.mask(mask)
        if fitted is not None:
            return counterfactual.pairs(picture, fitted, surroundings)
        if other_mask is None:
            return {}
        return {"other": counterfactual.pair_without(picture, other, other_mask, surroundings)}

    def score(self, picture: Pixels, audited: int) -> float:
        """Score of a class, 0..1."""
        return float(self._probabilities(self._explainer.explain(picture).scores)[audited])

    def seen(self, pixels: Pixels, mask: Mask | None) -> tuple[Pixels, Mask | None]:
        """A picture and its mask as the classifier sees them: at its input's size."""
        return self._fitting.picture(pixels), self._fitting.mask(mask)

    def _try(self, pairs: Mapping[str, counterfactual.Pair], audited: int) -> dict[str, Floats]:
        """Scores of the audited class on pictures that are not; NaN where there is no such picture."""

        def score(kind: str, which: int) -> float:
            if kind not in pairs:
                return np.nan
            return self.score(pairs[kind][which], audited)

        def scores(kinds: Sequence[str], which: int) -> Floats:
            return np.array([[score(kind, which) for kind in kinds]])

        return {
            "kept": scores(counterfactual.KINDS, 0),
            "removed": scores(counterfactual.KINDS, 1),
            "region_kept": scores(regions.REGIONS, 0),
            "region_removed": scores(regions.REGIONS, 1),
        }

    def _probabilities(self, scores: NDArray[np.float32]) -> Floats:
        if self._explainer.artifact.card.head.activation == "linear":
            return np.asarray(cam.activate(scores, "softmax"))
        return scores.astype(np.float64)


def _contrast_weights(explainer: camlite.Explainer) -> cam.Floats | None:
    """Class weights without what all classes share; None where scores are no softmax or weights are not known."""
    weights = explainer.artifact.arrays.weights
    if weights is None or not _share_something(explainer):
        return None
    return np.asarray(weights - weights.mean(axis=-1, keepdims=True))


def _gives_every_map(explainer: camlite.Explainer) -> bool:
    """Whether the model itself gives evidence of all classes that adds up to the logits, and they share something."""
    traits = explainer.artifact.card.head.evidence_traits
    return not traits.has_weights and traits.adds_up and _share_something(explainer)


def _share_something(explainer: camlite.Explainer) -> bool:
    """Whether evidence that all classes have alike changes no score."""
    return explainer.artifact.card.head.activation != "sigmoid" and len(explainer.labels) > 1
