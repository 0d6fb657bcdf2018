// The server's answers. A failed one is a Problem with the cause and what to do.

export class Problem extends Error {
  constructor(cause, remedy) {
    super(cause);
    this.remedy = remedy;
  }
}

/** The JSON at an address below /api. */
export async function get(address, signal) {
  let answer;
  try {
    answer = await fetch(`/api/${address}`, { signal, headers: { Accept: "application/json" } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("The server does not answer", "Is it still running? Start it with `make watch`, then try again");
  }
  const body = await answer.json().catch(() => null);
  if (answer.ok && body) return body;
  const { cause, remedy } = body?.error ?? {};
  throw new Problem(cause ?? `The server answered ${answer.status}`, remedy ?? "Look at what `make watch` printed");
}

/** An address part of a run or a file; slashes of a file stay. */
export const part = (name) => name.split("/").map(encodeURIComponent).join("/");
export const runPage = (run) => `/runs/${encodeURIComponent(run)}`;
export const comparePage = (runs) => `/compare${runs.length ? "?runs=" : ""}${runs.map(encodeURIComponent).join(",")}`;
export const fileOf = (run, path) => `/api/runs/${encodeURIComponent(run)}/files/${part(path)}`;
