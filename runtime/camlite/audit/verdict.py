"""From the figures of images to a verdict a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from camlite.audit.counterfactual import KINDS
from camlite.audit.image_figures import Figures
from camlite.audit.regions import REGIONS, SHARE
from camlite.confidence import Interval, intervals
from camlite.images import copies
from camlite.texts import counted

Story = Literal["object", "context", "undecided", "no masks"]

# Of fewer images the percentile bootstrap is too sure of itself.
LEAST_IMAGES = 10

# Concentration above which evidence lies on the object, and below which it does not: 0 is chance, 1 is all of it.
# Measured over seeds of landscapes (`make tanks-seeds`, docs/tutorials/tank-or-sky.md), float32 and int8: intervals
# reach from -0.14 to 0.12 for classifiers that had learned the weather, from 0.50 to 0.60 for those that had learned
# the tank. Evidence on the object does not reach 1: a place of the feature map sees as far as its receptive field. The
# limit stands nearer to chance, because a classifier that sees further is no shortcut.
ON_OBJECT = 0.2

# The pictures that the counterfactual is judged by. A blurred or plain sky is still a grey or a blue one: what takes
# the place of the surroundings must come from another class.
JUDGED = "other"


@dataclass(frozen=True)
class ClassVerdict:
    """What the audit says of a class.

    Attributes:
        label: of the class.
        images: how many of its images the verdict stands on: those that the artifact names rightly and that have all
            figures it needs.
        of: how many images of the class there are.
        objects: whether they show objects; else the counterfactual alone judges.
        verdict: where the classifier looks.
        region: of `regions.REGIONS`, the one with the most evidence over its share of the picture; None where none
            has significantly more. Without masks the smallest one that the score follows more than all the rest of the
            picture.
        reason: why, in words.
        concentration: share of evidence on the object over chance, 0 to 1: (inside - share) / (1 - share).
        inside, object_share, peak: see `Figures`.
        follows: by `KINDS`, how far the score follows the object: score with it kept and its surroundings replaced,
            less the score with them kept and it replaced. 1 is the object alone, -1 the surroundings alone.
        regions: by `REGIONS`, share of evidence beside the object, less the region's share of the picture.
        region_follows: by `REGIONS`, how far the score follows them, as `follows`; NaN where masks are known.
    """

    label: str
    images: int
    of: int
    objects: bool
    verdict: Story
    region: str | None
    reason: str
    concentration: Interval
    inside: Interval
    object_share: Interval
    peak: Interval
    follows: Mapping[str, Interval]
    regions: Mapping[str, Interval]
    region_follows: Mapping[str, Interval]

    @property
    def text(self) -> str:
        """``context: sky``; a class without objects is marked, as its evidence cannot be judged."""
        place = f": {self.region}" if self.verdict in ("context", "no masks") and self.region else ""
        mark = "" if self.objects or self.verdict in ("no masks", "undecided") else " *"
        return f"{self.verdict}{place}{mark}"

    @property
    def shortcut(self) -> bool:
        """Whether it is certain that the classifier looks beside the object."""
        return self.verdict == "context"


def judge(figures: Figures, labels: Sequence[str], masked: bool) -> list[ClassVerdict]:
    """A verdict for each class that has images, in the order of the labels.

    Args:
        figures: of all images.
        labels: of the classes.
        masked: whether masks are known.
    """
    return [_judge(figures, k, labels[k], masked) for k in np.unique(figures.audited)]


def _judge(figures: Figures, k: int, label: str, masked: bool) -> ClassVerdict:
    of_class = figures.audited == k
    right = of_class & figures.right
    with_object = right & ~np.isnan(figures.object_share)
    # A class shows objects where most of its images do: what an annotator has missed makes it no class without.
    objects = bool(with_object.sum() * 2 > right.sum())
    chosen = with_object if objects else right & np.isnan(figures.object_share)
    follow = figures.kept - figures.removed
    judged = follow[:, KINDS.index(JUDGED)]
    needed = [figures.region[:, 0], *([figures.inside] if objects else []), *([judged] if masked else [])]
    chosen &= ~np.isnan(np.stack(needed)).any(axis=0)
    chosen = copies.first_of_each(figures.seen, chosen)
    concentration, inside, object_share, peak = _on_object(figures, chosen)
    follows = {kind: intervals(follow[chosen, i : i + 1])[0] for i, kind in enumerate(KINDS)}
    over = dict(zip(REGIONS, intervals((figures.region - figures.region_share)[chosen]), strict=True))
    region_follow = (figures.region_kept - figures.region_removed)[chosen]
    region_follows = dict(zip(REGIONS, intervals(region_follow), strict=True))
    images = int(chosen.sum())
    story: tuple[Story, str] = ("no masks", "")
    if masked:
        story = _story(images, objects, concentration, follows[JUDGED])
    return ClassVerdict(
        label=label,
        images=images,
        of=int(of_class.sum()),
        objects=objects,
        verdict=story[0],
        region=_most(over) if masked else _suspect(region_follows, images),
        reason=story[1],
        concentration=concentration,
        inside=inside,
        object_share=object_share,
        peak=peak,
        follows=follows,
        regions=over,
        region_follows=region_follows,
    )


def _on_object(figures: Figures, chosen: NDArray[np.bool_]) -> list[Interval]:
    """Concentration, share of evidence inside, share of the object, and pointing game."""
    inside, share = figures.inside[chosen], figures.object_share[chosen]
    with np.errstate(invalid="ignore", divide="ignore"):  # an object that touches every cell tells nothing
        concentration = np.where(share < 1, (inside - share) / (1 - share), np.nan)
    return intervals(np.stack([concentration, inside, share, figures.peak[chosen]], axis=1))


def _story(images: int, objects: bool, concentration: Interval, follows: Interval) -> tuple[Story, str]:
    """Evidence and counterfactual must tell the same story."""
    if images < LEAST_IMAGES:
        return "undecided", f"{counted(images, 'different image')} with all figures, expected at least {LEAST_IMAGES}"
    by_score = _side(follows, 0.0)
    if not objects:
        return by_score, "shows no object: judged by the counterfactual only"
    by_evidence = _side(concentration, ON_OBJECT)
    if by_evidence == by_score and by_score != "undecided":
        return by_score, "evidence and counterfactual agree"
    if np.isnan(concentration.mean):
        return "undecided", "the object touches every cell of the feature map"
    return "undecided", f"evidence says {by_evidence}, counterfactual says {by_score}"


def _side(interval: Interval, limit: float) -> Story:
    if interval.low > limit:
        return "object"
    return "context" if interval.high < limit else "undecided"


def _most(over: Mapping[str, Interval]) -> str | None:
    region = max(over, key=lambda name: np.nan_to_num(over[name].mean, nan=-1.0))
    return region if over[region].low > 0 else None


def _suspect(follows: Mapping[str, Interval], images: int) -> str | None:
    """The smallest region that is certainly above 0: a mark in a corner lies in the sky and on the border, too."""
    found = [name for name, of in follows.items() if of.low > 0 and images >= LEAST_IMAGES]
    return min(found, key=lambda name: (SHARE[name], -follows[name].mean), default=None)
