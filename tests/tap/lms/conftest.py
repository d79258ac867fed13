"""DSPy 3.4 brought engines of its own."""

from tests.contracts.contract import HAS_ENGINES

collect_ignore = [] if HAS_ENGINES else ["test_engine.py"]
