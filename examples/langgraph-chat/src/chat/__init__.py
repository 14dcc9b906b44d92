"""A chat agent with one tool."""
