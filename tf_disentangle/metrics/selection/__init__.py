"""Scores that choose among models without ground-truth factors."""
