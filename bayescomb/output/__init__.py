"""What is shown: the text of the command line, the data of JSON, tables, figures, report, explorer and export.

Imports everything but cli.  Start at text; report, explorer and export build on what stands in this folder.
"""

__all__: list[str] = []
