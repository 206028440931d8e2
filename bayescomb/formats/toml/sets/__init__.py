"""Assumption sets in ``model.toml``: coefficients, categories, blocks, and the nuisances that these correlate.

Imports what formats/toml may, but no other part of the model file.  Start at reader; writer is beside it.
"""

__all__: list[str] = []
