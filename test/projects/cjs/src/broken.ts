export const before = 1;

throw new Error("broken while loading");
