"""The edge kit: what every HTTP function does before and after its one call into the layer."""

from imagelayer.http.app import App, Call, Reply, created

__all__ = ["App", "Call", "Reply", "created"]
