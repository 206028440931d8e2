"""The words of a report: what matters, what a folded section says, titles in the place of names, a note's appendix.

Imports the results of the report, and the words and tables of output.  Start at matters.
"""
