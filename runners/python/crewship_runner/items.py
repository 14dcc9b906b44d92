"""Which elements of lists are stored as items of a log, and under which numbers. The sibling of src/core/items.ts: a
list that grew by one costs one item and one range, whatever its length. Not thread-safe: its owner holds a lock."""

from __future__ import annotations

import hashlib
from typing import TypeAlias

from .json_types import Json, JsonObject, json_text, tagged

# Where an item is stored: its log and its number.
Place: TypeAlias = tuple[int, int]

# Shorter text stays in the list itself: a range in its place would be longer.
ITEM_TEXT_LENGTH = 24
# Longer bodies are known by their digest.
LONGEST_PLAIN_KEY = 64


class ItemLedger:
    """An item is found again by its content: equal elements may share a number, since an item never changes."""

    def __init__(self, log: int, next: int) -> None:
        """`next` is the log's next free item number."""
        self.log = log
        self.next = next
        # The length of all items it knows as JSON text, for whoever bounds its memory.
        self.characters = 0
        self._first_unsent = next
        self._unsent: list[Json] = []
        self._places: dict[str | bytes, Place] = {}

    def remember(self, place: Place, body: Json) -> None:
        """Tells the ledger of an item read from the store, so that it will not be stored again."""
        text = json_text(body)
        self.characters += len(text)
        self._places[_key(text)] = place

    def place(self, body: Json) -> Place | None:
        """The place of an encoded element that is already an item or becomes one now; None: it stays inline."""
        if type(body) is str:
            if len(body) < ITEM_TEXT_LENGTH:
                return None
        elif type(body) is not dict and type(body) is not list:
            return None
        text = json_text(body)
        key = _key(text)
        place = self._places.get(key)
        if place is None:
            self.characters += len(text)
            place = (self.log, self.next)
            self.next += 1
            self._places[key] = place
            self._unsent.append(body)
        return place

    def take_new(self) -> JsonObject | None:
        """The items given a number since the last call, to be stored before anything that refers to them."""
        if not self._unsent:
            return None
        taken: JsonObject = {"first": self._first_unsent, "bodies": self._unsent}
        self._first_unsent, self._unsent = self.next, []
        return taken


def _key(text: str) -> str | bytes:
    if len(text) <= LONGEST_PLAIN_KEY:
        return text
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=20).digest()


class ListBuilder:
    """A list under construction: inline elements and item places, neighbouring places coalesced into ranges."""

    def __init__(self) -> None:
        self._elements: list[Json] = []
        # The open range; it is empty when it ends at -1.
        self._log = self._first = self._end = -1

    def add_inline(self, element: Json) -> None:
        if self._end >= 0:
            self._close()
        self._elements.append(element)

    def add_item(self, place: Place) -> None:
        log, number = place
        if number == self._end and log == self._log:
            self._end += 1
            return
        if self._end >= 0:
            self._close()
        self._log, self._first, self._end = log, number, number + 1

    def finish(self) -> list[Json]:
        if self._end >= 0:
            self._close()
        return self._elements

    def _close(self) -> None:
        self._elements.append(tagged("items", self._log, self._first, self._end - self._first))
        self._end = -1
