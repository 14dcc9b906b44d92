"""The entry of a Python agent process; `--fork-parent` makes it the process such processes are forked from."""

import os
import sys

_FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, _FOLDER)
import crewship_runner

# This folder is ours: a user's own `main` or `crewship_runner` must not be found here.
sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder) != _FOLDER]


def main() -> None:
    if sys.argv[1:] == ["--fork-parent"]:
        from crewship_runner.fork import serve_forks

        serve_forks()
    else:
        import socket

        from crewship_runner.agent import run_agent

        run_agent(socket.socket(fileno=crewship_runner.PIPE_FD))


# A process of the user's own (multiprocessing) imports this file again, under another name.
if __name__ == "__main__":
    main()
