/** Builds the console into `console/dist`, which the server hands out under /console/. */
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** Where `npm run console` finds the server whose data it shows. */
const DEVELOPMENT_SERVER = "http://127.0.0.1:8700";

export default defineConfig({
  root: import.meta.dirname,
  base: "/console/",
  plugins: [react(), tailwindcss()],
  build: { target: "es2022", assetsInlineLimit: 0, chunkSizeWarningLimit: 700 },
  server: { proxy: { "/v1": DEVELOPMENT_SERVER, "/console/session": DEVELOPMENT_SERVER } },
});
