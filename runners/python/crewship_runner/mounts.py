"""Mounts that this process and its children alone see. Linux only, and only where the process may make them."""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNS = 0x00020000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000

_is_own = False


def own_mounts() -> None:
    """From here on what is mounted is seen by this process and its children alone. Called while there is one thread."""
    global _is_own
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        _is_own = libc.unshare(CLONE_NEWNS) == 0 and _mount(libc, b"none", b"/", MS_REC | MS_PRIVATE)
    except (OSError, AttributeError):
        _is_own = False


def bind(folder: str, at: str) -> bool:
    """Shows `folder` also at the folder `at`, for this process alone; False where that cannot be made."""
    return _is_own and _mount(
        ctypes.CDLL(None, use_errno=True), os.fsencode(folder), os.fsencode(at), MS_BIND
    )


def _mount(libc: ctypes.CDLL, source: bytes, target: bytes, flags: int) -> bool:
    return libc.mount(source, target, None, ctypes.c_ulong(flags), None) == 0
