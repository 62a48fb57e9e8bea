"""The form that makes a folder of a model that is ready for Zenodo."""
