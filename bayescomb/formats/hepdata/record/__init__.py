"""A record of HEPData as it is: files, layouts, tables, units; what of it is measured is for the rest of the package.

Imports base and what all formats share.  Start at submission, then tables.
"""

__all__: list[str] = []
