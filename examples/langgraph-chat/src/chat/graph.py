"""A chat agent: the model answers, or asks for a tool, sees what the tool said and answers then. There is no
checkpointer here: Crewship attaches its own, and each run finds the messages of the runs before it."""

from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from chat.model import chat_model
from chat.weather import current_weather

tools = [current_weather]
model = chat_model().bind_tools(tools)


async def agent(state: MessagesState):
    return {"messages": [await model.ainvoke(state["messages"])]}


graph = (
    StateGraph(MessagesState)
    .add_node("agent", agent)
    .add_node("tools", ToolNode(tools))
    .add_edge(START, "agent")
    .add_conditional_edges("agent", tools_condition)
    .add_edge("tools", "agent")
    .compile()
)
