"""Readers of the formats that images and factors are published or kept in."""
