"""DICOM: a load generator and a sink on raw sockets, and the paths between them."""
