"""Accepting DICOM associations and answering their requests."""
