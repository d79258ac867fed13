"""An MCP server over stdio, with tools about the weather. Run it as a script."""

from mcp.server import MCPServer

server = MCPServer("weather")


@server.tool()
def weather(city: str, days: int = 1) -> str:
    """The weather in a city."""
    return f"{days} sunny days in {city}"


@server.tool()
def climate(city: str) -> dict[str, str]:
    """The climate of a city. It knows none."""
    raise ValueError(f"nobody knows the climate of {city}")


if __name__ == "__main__":
    server.run("stdio")
