"""The limit we approach: the same graph with LangGraph's own MemorySaver in a process that does nothing else. Each line on
stdin is a JSON {"thread", "content"}; each line on stdout the milliseconds of that turn."""

import asyncio
import json
import sys
import time

from echo import builder
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import MemorySaver

graph = builder.compile(checkpointer=MemorySaver())


async def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        started = time.perf_counter()
        config = {"configurable": {"thread_id": order["thread"]}}
        await graph.ainvoke({"messages": [HumanMessage(order["content"])]}, config)
        print((time.perf_counter() - started) * 1000, flush=True)


asyncio.run(main())
