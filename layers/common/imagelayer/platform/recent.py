"""What one process remembers, bounded: the entries kept last stay, the oldest are dropped."""

from __future__ import annotations

from collections import OrderedDict


class Recent[Key, Value]:
    """Up to `most` entries. Whatever it holds may be gone at any moment, so a miss must be safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[Key, Value] = OrderedDict()

    def get[Default](self, key: Key, default: Default) -> Value | Default:
        """The value kept under a key, or `default`."""
        return self._kept.get(key, default)

    def keep(self, key: Key, value: Value) -> None:
        """Keep a value as the newest."""
        self._kept[key] = value
        self._kept.move_to_end(key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def drop(self, key: Key) -> None:
        """Forget a key, kept or not."""
        self._kept.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()

    def __contains__(self, key: Key) -> bool:
        return key in self._kept

    def __len__(self) -> int:
        return len(self._kept)
