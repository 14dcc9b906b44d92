"""What an entrypoint may name besides a compiled graph."""

from contextlib import asynccontextmanager

from echo import builder

bound = builder.compile().with_config({"tags": ["bound"], "recursion_limit": 7})


def make():
    return builder.compile()


def make_builder(config):
    assert config["configurable"] == {}
    return builder


async def make_later(config=None):
    return builder.compile()


@asynccontextmanager
async def make_open():
    yield builder.compile()


def fails():
    raise RuntimeError("no database")


async def not_a_graph():
    return {"nodes": []}
