"""Signatures × values × adapters × writings × splits: whole runs, streamed against called.

A case is drawn by Hypothesis (``case.py``) from types (``signatures.py``, with some written by hand in ``models.py``)
and values for them (``values.py``), written as an adapter or as a model might write them (``writings.py``,
``trees.py``), in chunks (``splits.py``). ``running.py`` runs it both ways; ``client.py`` is what a reader of the events
writes, and ``checks.py`` what must hold.
"""

import pytest

pytest.register_assert_rewrite("tests.corpus.checks")
