"""The figures of a report: the result, its sources and nuisances, the coefficients.

Imports the results of the report, its titles and the drawing functions.  Start at result_figures.
"""
