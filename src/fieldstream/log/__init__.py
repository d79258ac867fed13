"""Where a run's events are kept and followed."""

from fieldstream.log.completions import CompletionCursor, CompletionLog, Entry
from fieldstream.log.follow import Cursor, Follower, Log, ready, ready_blocking
from fieldstream.log.memory import Completion, MemoryLog
from fieldstream.log.received import ReceivedLog

__all__ = [
    "Completion",
    "CompletionCursor",
    "CompletionLog",
    "Cursor",
    "Entry",
    "Follower",
    "Log",
    "MemoryLog",
    "ReceivedLog",
    "ready",
    "ready_blocking",
]
