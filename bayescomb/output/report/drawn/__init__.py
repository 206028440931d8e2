"""Figures of a report of the result and of what moves it.

Imports the results of the report, its titles and the drawing functions.  Start at result_figures.
"""
