// The admin plane: every call has the token as a header. It lives in this tab's sessionStorage, never in a URL or cookie.
import { decoded } from "./router.js";
import { eventParser } from "./sse.js";

const KEY = "terraphim-admin-token";
const SHORTEST_MS = 500;
const LONGEST_MS = 8000;

/** What the proxy answered instead of what was asked for; `status` 0: it did not answer. */
export class ApiError extends Error {
  constructor(status, message, type = "") {
    super(message);
    this.status = status;
    this.type = type;
  }
}

let onLocked = () => {};
/** `tell` is called when the token is missing or wrong. */
export const whenLocked = (tell) => { onLocked = tell; };

export const token = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (value) => sessionStorage.setItem(KEY, value.trim()),
};

/** `#token=…` moves into the storage, and out of the address bar and the history, at once; whether there was one. */
export function takeToken() {
  const found = /^#token=([^&]+)/.exec(location.hash);
  if (!found) return false;
  history.replaceState(null, "", location.pathname);
  token.set(decoded(found[1]));
  return true;
}

async function asked(path, options = {}) {
  if (!/^[\x21-\x7e]*$/.test(token.get())) {
    onLocked();
    throw new ApiError(401, "This is no token: one has neither spaces nor letters that ASCII lacks.");
  }
  const headers = { ...options.headers, authorization: `Bearer ${token.get()}` };
  let answer;
  try {
    answer = await fetch(path, { ...options, headers, cache: "no-store", credentials: "omit", redirect: "error" });
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    throw new ApiError(0, "The proxy does not answer. Is it running?");
  }
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => null);
  if (answer.status === 401) onLocked();
  throw new ApiError(answer.status, said?.error?.message ?? `It answered ${answer.status}.`, said?.error?.type);
}

/** JSON of `GET path`. */
export const get = async (path, { signal } = {}) => (await asked(path, { signal })).json();

/** JSON of `POST path` with a JSON body. */
export const post = async (path, body = {}, { signal } = {}) =>
  (await asked(path, {
    method: "POST", signal, body: JSON.stringify(body), headers: { "content-type": "application/json" },
  })).json();

/**
 * The live feed, for as long as the page is open; connects again when it ends. `on[event](data)` for each event;
 * `onState("lost")` when it is gone. Returns when the token is refused.
 */
export async function follow(path, on, onState) {
  for (let pause = SHORTEST_MS; ; pause = Math.min(pause * 2, LONGEST_MS)) {
    try {
      const answer = await asked(path);
      pause = SHORTEST_MS / 2;
      await read(answer.body.getReader(), on);
    } catch (problem) {
      if (problem.status === 401) return;
    }
    onState("lost");
    await new Promise((wake) => { setTimeout(wake, pause); });
  }
}

async function read(reader, on) {
  const decoder = new TextDecoder();
  const parse = eventParser();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    for (const { event, data } of parse(decoder.decode(value, { stream: true }))) on[event]?.(JSON.parse(data));
  }
}
