"""Regions that are drawn or painted over images."""
