"""Metrics that need no ground-truth factors."""
