"""What a process knows of one thread's log: which objects stand for which stored items, and its latest state."""

from __future__ import annotations

from typing import Any

from .items import ItemLedger, Place


class ThreadMemory:
    def __init__(self, log: int, next_item: int) -> None:
        self.ledger = ItemLedger(log, next_item)
        # List elements of the state by their id(), and the stored items that are their copies. It holds the objects,
        # since dicts and lists cannot be weakly referenced: one for an item, so it stays as large as the log's items.
        self.places: dict[int, tuple[object, Place]] = {}
        # The thread's head, with live values.
        self.root: Any = None
        self._holders: dict[Place, int] = {}

    def know(self, element: object, place: Place) -> None:
        """The element is a copy of the item; whatever was known as one before is no longer."""
        held = self._holders.get(place)
        if held is not None and held in self.places and self.places[held][1] == place:
            del self.places[held]
        self._holders[place] = id(element)
        self.places[id(element)] = (element, place)

    def know_first(self, element: object, place: Place) -> None:
        """The same for a value read from the store: an object in use is worth more than one of the history."""
        if self._holders.get(place) not in self.places:
            self.know(element, place)

    def forget(self, element: object) -> None:
        self.places.pop(id(element), None)
