"""What DSPy has only since 3.4 is tried from there on: decisions, engines for responses, today's MCP."""

from tests.support.sameness import HAS_ENGINES

collect_ignore = [] if HAS_ENGINES else ["test_decisions.py", "test_mcp.py", "test_responses.py"]
