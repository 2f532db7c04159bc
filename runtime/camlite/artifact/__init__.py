"""The file that is deployed: the model, a card that describes it, arrays, digests and perhaps a signature."""

from camlite.artifact.container import Format, format_of
from camlite.artifact.reading import Artifact, read
from camlite.artifact.writing import Sign, pack

__all__ = ["Artifact", "Format", "Sign", "format_of", "pack", "read"]
