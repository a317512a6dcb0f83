"""Hydra configuration: structured schema (``schema.py``) and the YAML variants beside it."""
