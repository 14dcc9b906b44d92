"""A chat model without a network: a few rules over the conversation, always the same answer to the same messages, streamed
word by word. It extends LangChain's BaseChatModel, so the graph cannot tell it from a real one."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable

from chat.weather import cities

WORD_DELAY_S = 0.02
# For a message that says "slowly": time enough to watch, cancel, or kill the server in the middle of an answer.
SLOW_WORD_DELAY_S = 0.5


@dataclass
class Reply:
    """Text, or a call of the weather tool for a city."""

    text: str = ""
    city: str | None = None


class LocalChatModel(BaseChatModel):
    @property
    def _llm_type(self) -> str:
        return "local-rules"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[LanguageModelInput, BaseMessage]:
        return self.bind(tools=[tool.name for tool in tools], **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        tools: Sequence[str] = (),
        **kwargs: Any,
    ) -> ChatResult:
        reply = answer(messages, tools)
        calls = [] if reply.city is None else [tool_call(reply.city, messages)]
        return ChatResult(generations=[ChatGeneration(message=AIMessage(reply.text, tool_calls=calls))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        tools: Sequence[str] = (),
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in chunks(answer(messages, tools), messages):
            time.sleep(delay(messages))
            if run_manager:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        tools: Sequence[str] = (),
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in chunks(answer(messages, tools), messages):
            await asyncio.sleep(delay(messages))
            if run_manager:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk


def chunks(reply: Reply, messages: list[BaseMessage]) -> Iterator[ChatGenerationChunk]:
    if reply.city is not None:
        call = tool_call(reply.city, messages)
        chunk = {**call, "args": json.dumps(call["args"]), "index": 0}
        yield ChatGenerationChunk(message=AIMessageChunk("", tool_call_chunks=[chunk]))
    for word in re.findall(r"\S+\s*", reply.text):
        yield ChatGenerationChunk(message=AIMessageChunk(word))


def answer(messages: list[BaseMessage], tools: Sequence[str]) -> Reply:
    """The rules, first match wins. Everything it knows is in the conversation."""
    said = said_by_user(messages)
    last = said[-1] if said else ""
    city = last_city(said)
    if messages and messages[-1].type == "tool":
        return Reply(f"In {city} it is {messages[-1].content}.")
    asks_for_weather = re.search(r"\bweather\b", last, re.IGNORECASE) or (
        re.search(r"\b(and|what about)\b", last, re.IGNORECASE) and city_in(last)
    )
    if asks_for_weather and city and "current_weather" in tools:
        return Reply(city=city)
    if asks_for_weather:
        return Reply(f"Which city? I know {', '.join(city.title() for city in cities)}.")

    name, turn = name_in(said)
    if re.search(r"\bmy name\b.*\?|\bwho am i\b", last, re.IGNORECASE):
        if name is None:
            return Reply("You have not told me your name yet.")
        told = f"You told me in your {ordinal(turn)} message; this is your {ordinal(len(said))}."
        return Reply(f"Your name is {name}. {told}")
    if name_in([last])[0] is not None:
        return Reply(f"Nice to meet you, {name}! Ask me later and I will still know.")
    if len(said) < 2:
        return Reply(f'You said: "{last}". This is the first message of our conversation.')
    greeting = "" if name is None else f"{name}, "
    before = f'Before it you said: "{said[-2]}". Now you say: "{last}".'
    return Reply(f"{greeting}this is your {ordinal(len(said))} message. {before}")


def said_by_user(messages: list[BaseMessage]) -> list[str]:
    return [str(message.content) for message in messages if message.type == "human"]


def delay(messages: list[BaseMessage]) -> float:
    said = said_by_user(messages)
    return SLOW_WORD_DELAY_S if said and re.search(r"\bslowly\b", said[-1], re.IGNORECASE) else WORD_DELAY_S


def name_in(said: list[str]) -> tuple[str | None, int]:
    """The name given last, and the number of the message that gave it."""
    for turn in range(len(said), 0, -1):
        found = re.search(r"\b(?:my name is|i am called|call me) (\w+)", said[turn - 1], re.IGNORECASE)
        if found:
            return found[1], turn
    return None, 0


def city_in(text: str) -> str | None:
    return next((city for city in cities if re.search(rf"\b{city}\b", text, re.IGNORECASE)), None)


def last_city(said: list[str]) -> str | None:
    """The city named last in the conversation, as one writes it."""
    return next((city.title() for text in reversed(said) if (city := city_in(text))), None)


def tool_call(city: str, messages: list[BaseMessage]) -> dict[str, Any]:
    """The id comes from the conversation's length, so the same messages ask with the same id."""
    return {"id": f"call_{len(messages)}", "name": "current_weather", "args": {"city": city}}


def ordinal(n: int) -> str:
    ending = "th" if 11 <= n % 100 <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"
