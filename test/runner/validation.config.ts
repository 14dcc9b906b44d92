/** What vitest needs to take our file, which is no test of node:test's, for a test. */
export default { test: { include: ["**/validated_saver.ts"], globals: true } };
