"""Files, layouts, tables and units of a HEPData record, before a mapping says what its tables hold.

Imports base and what all formats share.  Start at submission, then tables.
"""

__all__: list[str] = []
