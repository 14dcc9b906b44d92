/** The agent's one tool: the weather, from a small fixed table, so that the example gives the same answers everywhere. */
import { tool } from "@langchain/core/tools";
import { z } from "zod";

const table: Record<string, string> = {
  amsterdam: "14 °C, light rain",
  berlin: "17 °C, cloudy",
  cairo: "33 °C, clear sky",
  london: "13 °C, drizzle",
  "new york": "21 °C, sunny",
  oslo: "9 °C, sunny",
  paris: "18 °C, a few clouds",
  tokyo: "24 °C, humid",
};

export const cities = Object.keys(table);

export const currentWeather = tool(
  ({ city }) => table[city.toLowerCase()] ?? `No station there. Known: ${cities.join(", ")}.`,
  {
    name: "current_weather",
    description: "The current weather in a city.",
    schema: z.object({ city: z.string().describe("The city's English name") }),
  },
);
