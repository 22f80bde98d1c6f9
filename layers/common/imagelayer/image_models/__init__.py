"""The registry of image models and the adapters that ask them."""
