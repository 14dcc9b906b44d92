"""How much memory the process holds, and its end when that is too much. Python has no limit of its own, and code that
blocks the event loop keeps `alive` from telling the server: a thread looks."""

import os
import resource
import sys
import threading
import time

LOOK_S = 0.25


def resident_mb() -> float:
    """Resident memory. Where the system does not tell the present one, the most there was."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            pages = int(statm.read().split()[1])
        return round(pages * os.sysconf("SC_PAGE_SIZE") / 1048576, 1)
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return round(most / (1048576 if sys.platform == "darwin" else 1024), 1)


def end_above(most_mb: float) -> None:
    """Ends the process as soon as it holds more; the server knows the words it leaves on stderr."""

    def watch() -> None:
        while resident_mb() <= most_mb:
            time.sleep(LOOK_S)
        os.write(2, f"\nMemoryError: the process holds more than {most_mb} MB\n".encode())
        os._exit(1)

    threading.Thread(target=watch, name="crewship-memory", daemon=True).start()
