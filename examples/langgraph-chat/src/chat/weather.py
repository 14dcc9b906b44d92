"""The agent's one tool: the weather, from a small fixed table, so that the example gives the same answers everywhere."""

from langchain_core.tools import tool

table = {
    "amsterdam": "14 °C, light rain",
    "berlin": "17 °C, cloudy",
    "cairo": "33 °C, clear sky",
    "london": "13 °C, drizzle",
    "new york": "21 °C, sunny",
    "oslo": "9 °C, sunny",
    "paris": "18 °C, a few clouds",
    "tokyo": "24 °C, humid",
}
cities = list(table)


@tool
def current_weather(city: str) -> str:
    """The current weather in a city, by its English name."""
    return table.get(city.lower(), f"No station there. Known: {', '.join(cities)}.")
