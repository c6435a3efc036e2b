"""Studies: many runs of one grid, their table, analysis, figures and report."""
