"""DICOM on the wire: the upper layer (PS3.8), command sets, the head of a data set, negotiation; bytes in, events and bytes out."""
