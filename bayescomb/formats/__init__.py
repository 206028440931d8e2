"""How inputs are written in files: model files, Convino, HEPData and exports; a reader stands beside its writer.

Imports inputs and base.  Start at loading, which tells the formats apart; nothing is imported here, as few need all.
"""

__all__: list[str] = []
