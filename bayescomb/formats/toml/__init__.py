"""The model file of bayescomb, ``model.toml``, and its CSV tables.

Imports inputs, base, the shared modules of formats and the readers of other formats.  Start at model.
"""

__all__: list[str] = []
