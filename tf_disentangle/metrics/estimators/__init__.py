"""Classifiers and regressors that the metrics fit."""
