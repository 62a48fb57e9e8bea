"""DICOM files: from a file of a hospital to the intensities of one plane, and how they are displayed."""
