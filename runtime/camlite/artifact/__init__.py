"""The file that is deployed: the model, a card that describes it, arrays, digests and perhaps a signature."""

from camlite.artifact.container import Container, container_of
from camlite.artifact.reading import Artifact, has_seal, read
from camlite.artifact.writing import Sign, pack

__all__ = ["Artifact", "Container", "Sign", "container_of", "has_seal", "pack", "read"]
