"""Published tables of HEPData, from a folder, an archive or one file, as inputs of a measurement.

Imports inputs, base and what all formats share.  Start at record.submission, then mapping.
"""

__all__: list[str] = []
