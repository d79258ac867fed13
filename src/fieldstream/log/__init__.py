"""Where a run's events are kept and followed."""

from fieldstream.log.follow import Cursor, Log, ready, ready_blocking
from fieldstream.log.memory import MemoryLog

__all__ = ["Cursor", "Log", "MemoryLog", "ready", "ready_blocking"]
