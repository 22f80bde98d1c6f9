"""Pictures: the built-in studio model, the brand compositor, upload intake and encoders.

Needs Pillow, numpy and isal, which only functions carrying the render layer have. Nothing here
touches the network, AWS or the file system.
"""
