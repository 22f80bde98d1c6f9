"""What one process remembers is bounded, and the newest stays."""

from __future__ import annotations

from imagelayer.platform.recent import Recent


def test_the_entries_kept_last_stay() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.keep("a", 1)
    recent.keep("b", 2)
    recent.keep("a", 3)
    recent.keep("c", 4)
    assert [recent.get(key, None) for key in "abc"] == [3, None, 4]
    assert len(recent) == 2


def test_a_dropped_entry_is_missing_and_dropping_it_again_is_not_an_error() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.keep("a", 1)
    recent.drop("a")
    recent.drop("a")
    assert recent.get("a", 0) == 0
