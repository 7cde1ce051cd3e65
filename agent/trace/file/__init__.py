"""Capture files: formats, compression, records."""
