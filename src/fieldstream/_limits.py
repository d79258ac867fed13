"""What a process may set for all of its runs."""

from fieldstream import tap


def set_thread_limit(limit: int) -> None:
    """Let at most so many programs run in threads at once; 1000 at first. Later runs wait for their turn.

    A program takes a thread under ``with``, and under ``async with`` where it has no ``aforward``. A raised limit
    starts those that wait; a lowered one ends none. Raises ``ValueError`` for less than 1.
    """
    tap.threads.set_limit(limit)
