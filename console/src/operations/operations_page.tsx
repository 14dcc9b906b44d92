/** What the server is doing, and what it does by itself: runs at work and waiting, schedules, webhooks, keys. */
import { useNavigate } from "@tanstack/react-router";
import { Page } from "../parts/page.tsx";
import { Tabs } from "../parts/tabs.tsx";
import { operationsRoute, type operationsTabs } from "../router.tsx";
import { useIsAdmin } from "../session.tsx";
import { Keys } from "./keys.tsx";
import { Now } from "./now.tsx";
import { Schedules } from "./schedules.tsx";
import { Webhooks } from "./webhooks.tsx";

type Tab = (typeof operationsTabs)[number];

export function OperationsPage() {
  const { tab = "now" } = operationsRoute.useSearch();
  const navigate = useNavigate({ from: "/operations" });
  const isAdmin = useIsAdmin();
  const tabs: { id: Tab; name: string }[] = [
    { id: "now", name: "Now" },
    { id: "schedules", name: "Schedules" },
    ...(isAdmin
      ? [
          { id: "webhooks" as const, name: "Webhooks" },
          { id: "keys" as const, name: "Keys" },
        ]
      : []),
  ];
  return (
    <Page title="Operations">
      <div className="flex h-full flex-col">
        <Tabs
          label="Operations"
          shown={tab}
          onShow={(next) => void navigate({ search: { tab: next }, replace: true })}
          tabs={tabs}
        >
          {tab === "now" && <Now />}
          {tab === "schedules" && <Schedules />}
          {tab === "webhooks" && isAdmin && <Webhooks />}
          {tab === "keys" && isAdmin && <Keys />}
        </Tabs>
      </div>
    </Page>
  );
}
