"""OpenAI's model when there is a key for it, else the local one."""

import os

from crewai import LLM, BaseLLM

from crewai_research.local_model import LocalModel

DEFAULT_MODEL = "gpt-4o-mini"


def research_model() -> BaseLLM:
    if os.environ.get("OPENAI_API_KEY"):
        return LLM(model=f"openai/{os.environ.get('OPENAI_MODEL', DEFAULT_MODEL)}")
    return LocalModel(model="local-rules")
