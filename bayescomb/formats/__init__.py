"""How inputs are written in files: model files, Convino, HEPData and exports; a reader stands beside its writer.

Imports inputs and base.  Start at loading, which tells the formats apart.
"""

from bayescomb.formats.loading import convert, load
from bayescomb.formats.shipped import copy_model, shipped_models

__all__ = ["convert", "copy_model", "load", "shipped_models"]
