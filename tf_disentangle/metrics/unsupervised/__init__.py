"""Metrics that need no factors: what codes alone tell."""
