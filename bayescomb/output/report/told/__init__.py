"""The words of a report: its main points, lines of folded sections, titles in place of names, the appendix of a note.

Imports the results of the report, and the words and tables of output.  Start at matters.
"""
