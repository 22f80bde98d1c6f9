"""Brands and the files uploaded for them."""
