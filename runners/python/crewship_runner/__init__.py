"""Our code inside a Python agent process: LangGraph, CrewAI and plain functions. Standard library, and what the user's
project has installed."""

# The file descriptor of the pipe to the server.
PIPE_FD = 3
