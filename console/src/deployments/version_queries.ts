/** A deployment's versions, newest first. */
import { useQuery } from "@tanstack/react-query";
import { client, keys } from "../api.ts";

const NEWEST = 100;
const REFRESH_MS = 4_000;

export function useVersions(deployment_id: string) {
  return useQuery({
    queryKey: keys.versions(deployment_id),
    queryFn: async ({ signal }) =>
      (await client.listVersions(deployment_id, { limit: NEWEST }, { signal })).versions,
    refetchInterval: REFRESH_MS,
  });
}
