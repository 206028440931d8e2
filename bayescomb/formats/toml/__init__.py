"""The model file of bayescomb, ``model.toml``, and the tables that it names.

Imports inputs, base, what all formats share and the readers of other formats.  Start at model.
"""

__all__: list[str] = []
