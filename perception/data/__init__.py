"""Data sets of X-ray views over a cohort: what is looked at, rendered, kept and read."""
