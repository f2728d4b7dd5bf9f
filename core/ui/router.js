// The address behind `#/`: a view, what is open in it, and its parameters.
import { useEffect, useState } from "./dom.js";

/** `#/live/req_1?q=opus` -> {view: "live", rest: "req_1", params: {q: "opus"}}. */
export function place(hash = location.hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const at = path.indexOf("/");
  const rest = at < 0 ? "" : decoded(path.slice(at + 1));
  return { view: at < 0 ? path : path.slice(0, at), rest, params: Object.fromEntries(new URLSearchParams(query)) };
}

/** Without its per cent signs; as it is, if they mean nothing. */
export function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The address of a place. */
export function address(view, rest = "", params = {}) {
  const kept = Object.entries(params).filter(([, value]) => value !== "" && value !== undefined);
  const query = new URLSearchParams(kept).toString();
  return `#/${view}${rest && `/${encodeURIComponent(rest)}`}${query && `?${query}`}`;
}

/** Go there; `quietly` leaves no step in the history. */
export function go(view, rest = "", params = {}, { quietly = false } = {}) {
  history[quietly ? "replaceState" : "pushState"](null, "", address(view, rest, params));
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** Where the reader is. */
export function usePlace() {
  const [found, setFound] = useState(place);
  useEffect(() => {
    const look = () => setFound(place());
    addEventListener("hashchange", look);
    addEventListener("popstate", look);
    return () => {
      removeEventListener("hashchange", look);
      removeEventListener("popstate", look);
    };
  }, []);
  return found;
}
