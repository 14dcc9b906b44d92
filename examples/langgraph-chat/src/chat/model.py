"""Chooses the model: OpenAI's when there is a key for it, else the local one, which needs none."""

import os

from chat.local_model import LocalChatModel

DEFAULT_MODEL = "gpt-4o-mini"


def chat_model():
    if not os.environ.get("OPENAI_API_KEY"):
        return LocalChatModel()
    # Imported only here: it takes a moment to load, and most first tries go without it.
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(model=os.environ.get("OPENAI_MODEL") or DEFAULT_MODEL)
