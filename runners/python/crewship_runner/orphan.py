"""Ends the process when the server is gone, also while the user's code blocks the event loop: a thread of its own looks
at the parent. Without it such a process would burn a core for ever."""

import os
import signal
import threading
import time

LOOK_S = 1.0


def end_with_parent() -> None:
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_S)
        # The process leads its group, so whatever it started goes too.
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, name="crewship-parent", daemon=True).start()
