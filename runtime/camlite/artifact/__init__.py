"""The file that is deployed: the model, a card that describes it, arrays, digests and perhaps a signature."""

from camlite.artifact.file import Artifact, Format, Sign, format_of, pack, read

__all__ = ["Artifact", "Format", "Sign", "format_of", "pack", "read"]
