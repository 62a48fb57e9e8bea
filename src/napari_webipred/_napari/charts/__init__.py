"""Bars and lines, on the screen and on paper."""
