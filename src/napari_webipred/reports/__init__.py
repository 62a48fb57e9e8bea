"""Reports on results: DICOM structured reports and FHIR bundles for a patient's record, and pages for people."""
