"""The product's code, shared by all functions."""

import gc

# A start allocates hundreds of thousands of objects that live as long as the process. At Python's
# threshold of 2,000 the collector examines them again and again: about a twentieth of a start.
gc.set_threshold(50_000)
