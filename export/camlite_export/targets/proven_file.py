"""A file that ships, with its evidence: given out only where its proof holds."""

from __future__ import annotations

from collections.abc import Callable

from camlite.errors import ClassifierError


def proven(model: bytes, verify: Callable[[bytes], object], name: str, remedy: str = "") -> bytes:
    """The model as it is.

    Args:
        verify: of `camlite.soundness`.
        name: what messages call the classifier.
        remedy: what else can be done, to follow "cut it at another --layer".

    Raises:
        ClassifierError: no device would take it.
    """
    try:
        verify(model)
    except ValueError as error:
        raise ClassifierError(
            f"{name}: camlite's safety check rejects it with its evidence: {error}; cut it at another --layer{remedy}"
        ) from None
    return model
