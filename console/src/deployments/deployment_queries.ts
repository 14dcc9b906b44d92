/** Deployments, which most pages name. */
import { useQuery } from "@tanstack/react-query";
import type { Deployment } from "../../../src/core/deployment.ts";
import { client, keys } from "../api.ts";

const REFRESH_MS = 10_000;

export function useDeployments() {
  return useQuery({
    queryKey: keys.deployments,
    queryFn: async ({ signal }) => (await client.listDeployments({ signal })).deployments,
    refetchInterval: REFRESH_MS,
  });
}

export function useDeployment(id: string | null | undefined): Deployment | undefined {
  const { data } = useDeployments();
  return data?.find(({ deployment_id }) => deployment_id === id);
}
