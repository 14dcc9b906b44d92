/** What can go wrong between a client and a server. */

/** The server said no. `code` is one of the catalogue in core/problem.ts, or `http_<status>` when a proxy answered. */
export class ApiError extends Error {
  override name = "ApiError";
  readonly status: number;
  readonly code: string;
  readonly details: Record<string, unknown> | undefined;

  constructor(status: number, code: string, message: string, details?: Record<string, unknown>) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

/** Nobody answered: refused, no such host, or the connection broke and did not come back in time. */
export class ConnectionError extends Error {
  override name = "ConnectionError";
  readonly url: string;

  constructor(url: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.url = url;
  }
}

/** Reads the error document of a response that is not ok. Never throws: a proxy may answer anything. */
export async function readApiError(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => "");
  const document = parse(text);
  const error = isRecord(document) && isRecord(document.error) ? document.error : {};
  return new ApiError(
    response.status,
    typeof error.code === "string" ? error.code : `http_${response.status}`,
    typeof error.message === "string"
      ? error.message
      : `The server answered ${response.status} ${response.statusText}`.trimEnd(),
    isRecord(error.details) ? error.details : undefined,
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
