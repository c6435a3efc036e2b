"""Metrics that need the ground-truth factors."""
