"""The colours of classes in files of heat maps."""

# Okabe and Ito's colours, which people tell apart who see fewer colours.
COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167))
