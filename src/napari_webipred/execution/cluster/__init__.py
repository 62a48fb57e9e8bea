"""Planes that the workers of a cluster of Dask Distributed classify."""
