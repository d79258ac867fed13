"""DSPy 3.4 brought engines of its own, whose streams these read."""

from tests.contracts.contract import HAS_ENGINES

collect_ignore = [] if HAS_ENGINES else ["test_body.py", "test_text.py"]
