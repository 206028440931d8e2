"""Files of the Convino program: base files, measurement files and what they include.

Imports inputs, base and what all formats share.  Start at base_file.
"""

__all__: list[str] = []
