"""Archives of medical images (PACS): searching, retrieving and storing by DICOMweb and by DIMSE."""
