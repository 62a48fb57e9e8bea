"""Go through rows one after the other, and say of each image what it shows."""
