"""Which intensities become black and white."""
