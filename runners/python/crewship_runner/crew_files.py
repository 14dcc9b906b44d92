"""The files a crew's tasks write (`output_file`): they go to the run's artifact folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .pipe import RunPipe


class TaskFiles:
    def __init__(self, folder: str | None, pipe: RunPipe) -> None:
        self._folder = None if folder is None else Path(os.path.realpath(folder))
        self._pipe = pipe

    def redirect(self, task: Any) -> None:
        """Before the task's agent works, and after its path was filled in. A path that leads out of the folder fails here,
        not after the model was paid."""
        if not task.output_file or os.path.isabs(task.output_file) or self._folder is None:
            return
        path = Path(os.path.realpath(self._folder / task.output_file))
        if not path.is_relative_to(self._folder):
            message = f'The output_file "{task.output_file}" leads out of the run\'s artifact folder: keep it inside.'
            raise ValueError(message)
        path.parent.mkdir(parents=True, exist_ok=True)
        task.output_file = str(path)

    def note(self, task: Any) -> None:
        """What the task wrote elsewhere is no artifact, and the run says so."""
        if not task.output_file:
            return
        path = Path(os.path.abspath(task.output_file))
        if self._folder is None or not path.is_relative_to(self._folder):
            self._pipe.log(
                "info", f"The file {path} stays where the task wrote it; it is no artifact of this run."
            )
