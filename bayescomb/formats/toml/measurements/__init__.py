"""Measurements in ``model.toml``: ``[budget]`` with ``[within]``, ``[[measurements]]``, and files that they name.

Imports what formats/toml may, but no other part of the model file.  Start at reader, with writer beside it; foreign has the
readers of files of other programs.
"""

__all__: list[str] = []
