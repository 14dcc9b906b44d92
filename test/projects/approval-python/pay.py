"""Pays only what a person has approved."""


async def pay(input, context):
    answer = context.interrupt({"question": f"Pay {input['amount']}?"})
    outcome = "paid" if answer == "yes" else "refused"
    if outcome == "paid":
        context.state["payments"] = [*context.state.get("payments", []), input["amount"]]
    context.state["outcome"] = outcome
    return {"outcome": outcome}
