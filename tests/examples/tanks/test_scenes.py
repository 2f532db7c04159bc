"""The landscapes of the legend: the same for the same seed, weather as it was asked for, masks that are exact."""

from __future__ import annotations

import numpy as np
import pytest

from tanks import landscape
from tanks.scenes import Scenes, scenes


@pytest.fixture(scope="module")
def confounded() -> Scenes:
    return scenes(64, 3, confounded=True)


@pytest.fixture(scope="module")
def plain() -> Scenes:
    return scenes(200, 3, confounded=False)


def cloudy(found: Scenes) -> np.ndarray:
    return np.isin(found.weathers, [i for i, name in enumerate(landscape.WEATHERS) if name in landscape.CLOUDY])


def test_the_same_seed_gives_the_same_pictures_and_another_gives_others(confounded: Scenes) -> None:
    again, other = scenes(64, 3, confounded=True), scenes(64, 4, confounded=True)

    assert (again.images == confounded.images).all()
    assert (again.masks == confounded.masks).all()
    assert (other.images != confounded.images).any(axis=(1, 2, 3)).all()


def test_there_is_a_mask_where_there_is_a_tank_and_nowhere_else(plain: Scenes) -> None:
    covered = plain.masks.mean(axis=(1, 2))

    assert ((covered > 0) == (plain.classes == 1)).all()
    assert 0.02 < np.median(covered[plain.classes == 1]) < 0.12
    assert covered.max() < 0.2


def test_where_the_weather_gives_the_class_away_it_does_so_always_and_else_it_says_nothing(
    confounded: Scenes, plain: Scenes
) -> None:
    assert (cloudy(confounded) == (confounded.classes == 1)).all()
    share = cloudy(plain)[plain.classes == 1].mean()
    assert abs(share - 0.5) < 0.2  # 100 pictures: four standard errors
    assert set(plain.weathers) == set(range(len(landscape.WEATHERS)))


def test_a_sunny_sky_is_more_colourful_than_a_cloudy_one_and_the_ground_is_alike(plain: Scenes) -> None:
    spread = np.ptp(plain.images.astype(int), axis=3)
    sky, ground = spread[:, :16].mean(axis=(1, 2)), plain.images[:, 48:].mean(axis=(1, 2, 3))
    dull = cloudy(plain)

    assert sky[~dull].mean() > 3 * sky[dull].mean()
    assert abs(ground[~dull].mean() - ground[dull].mean()) < 2 * ground.std() / np.sqrt(len(ground) / 4)


def test_the_pixels_under_the_mask_are_the_tanks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same scenes without painting the tank differ from those with it under the mask, and in its shadow."""
    from tanks import brush, vehicle

    shown = scenes(32, 5, confounded=False)
    original = vehicle.tanks
    monkeypatch.setattr(vehicle, "tanks", lambda *given: original(given[0], given[1].copy(), *given[2:]))
    hidden = scenes(32, 5, confounded=False)
    changed = np.abs(shown.images.astype(int) - hidden.images).max(axis=3) > 4
    tanks = shown.classes == 1

    assert changed[tanks][shown.masks[tanks]].mean() > 0.9
    grown = shown.masks.copy()
    for axis in (1, 2):
        for step in (-3, -2, -1, 1, 2, 3):
            grown |= np.roll(shown.masks, step, axis)
    assert changed[tanks][~grown[tanks]].mean() < 0.02  # the rest of its shadow; measured 0.012
    assert not changed[~tanks].any()
    assert shown.images.shape[1] == brush.SIDE
