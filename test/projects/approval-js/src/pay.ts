/** Pays only what a person has approved. */
type Context = { state: Record<string, unknown>; interrupt(question: unknown): unknown };

export async function pay({ amount }: { amount: number }, context: Context) {
  const payments = (context.state.payments ?? []) as number[];
  const answer = context.interrupt({ question: `Pay ${amount}?` });
  const outcome = answer === "yes" ? "paid" : "refused";
  if (outcome === "paid") context.state.payments = [...payments, amount];
  context.state.outcome = outcome;
  return { outcome };
}
