"""What LangGraph's Python client does with store items. Arguments: the server's address and a key."""

import asyncio
import sys

from langgraph_sdk import get_client, get_sync_client

url, key = sys.argv[1:]


async def main() -> None:
    store = get_client(url=url, api_key=key).store
    await store.put_item(["py", "a"], key="one", value={"n": 1, "text": "by the sea"})
    await store.put_item(["py", "b"], key="two", value={"n": 2, "text": "a hut"}, index=["text"], ttl=5)
    item = await store.get_item(["py", "a"], key="one", refresh_ttl=True)
    assert item["value"] == {"n": 1, "text": "by the sea"}, item
    assert item["namespace"] == ["py", "a"]
    found = await store.search_items(["py"], filter={"n": {"$gte": 2}}, limit=5)
    assert [one["key"] for one in found["items"]] == ["two"], found
    near = await store.search_items(["py"], query="a mountain hut")
    assert near["items"][0]["key"] == "two", near
    assert near["items"][0]["score"] > 0.5
    listed = await store.list_namespaces(prefix=["py"])
    assert listed["namespaces"] == [["py", "a"], ["py", "b"]], listed
    await store.delete_item(["py", "a"], key="one")
    assert await store.get_item(["py", "a"], key="one") is None


asyncio.run(main())
sync = get_sync_client(url=url, api_key=key).store
sync.put_item(["sync"], "k", {"n": 1})
assert sync.get_item(["sync"], "k")["value"] == {"n": 1}
print("all passed")
