"""Checkpoint ids: UUIDs of version 6, which sort by the time they were made. Python has them from 3.14 on."""

import random
import time
import uuid

_GREGORIAN_TO_UNIX_100NS = 0x01B21DD213814000
_last = 0


def new_checkpoint_id() -> str:
    """Greater, as text, than every id made before by this process. Layout: RFC 9562, section 5.6."""
    global _last
    _last = max(time.time_ns() // 100 + _GREGORIAN_TO_UNIX_100NS, _last + 1)
    high, low = _last >> 12, _last & 0xFFF
    bits = high << 80 | 6 << 76 | low << 64 | 2 << 62 | random.getrandbits(62)
    return str(uuid.UUID(int=bits))
