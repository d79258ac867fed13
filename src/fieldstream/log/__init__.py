"""Where a run's events are kept and followed."""

from fieldstream.log.completions import CompletionCursor, Entry
from fieldstream.log.follow import Cursor, Follower, Log, ready, ready_blocking
from fieldstream.log.memory import Completion, MemoryLog

__all__ = [
    "Completion",
    "CompletionCursor",
    "Cursor",
    "Entry",
    "Follower",
    "Log",
    "MemoryLog",
    "ready",
    "ready_blocking",
]
