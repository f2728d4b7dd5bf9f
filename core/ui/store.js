// What the page knows: one store, told by the live feed, read by views. Views hear of changes once a frame.
import { useEffect, useState } from "./dom.js";
import { ApiError, follow, get } from "./api.js";

const MOST = 1000;
const readers = new Set();
let drawn = true;

/** `requests` maps ids to summaries, the oldest first. `link`: "connecting" | "open" | "lost" | "locked". */
export const state = { link: "connecting", overview: null, tick: null, rate: 0, requests: new Map(), lost: 0, version: 0 };

/** Change the state; everyone who reads it draws again in the next frame. */
export function update(change) {
  Object.assign(state, change);
  state.version += 1;
  if (!drawn) return;
  drawn = false;
  requestAnimationFrame(() => {
    drawn = true;
    readers.forEach((read) => read(state.version));
  });
}

/** The state, and a new drawing whenever it changes. */
export function useStore() {
  const [, draw] = useState(0);
  useEffect(() => {
    readers.add(draw);
    draw(state.version);
    return () => readers.delete(draw);
  }, []);
  return state;
}

/** Keep the summary, the newest version of it, and the youngest `MOST`. */
export function keep(summary) {
  state.requests.set(summary.id, summary);
  for (const id of state.requests.keys()) {
    if (state.requests.size <= MOST) break;
    state.requests.delete(id);
  }
}

async function catchUp() {
  try {
    const { requests } = await get(`/admin/requests?limit=${MOST}`);
    const live = [...state.requests.values()];
    const youngest = requests[0]?.at_ms ?? 0;
    state.requests.clear();
    requests.reverse().forEach(keep);
    // What was told while the list was on its way is newer than the list.
    live.filter((each) => (state.requests.has(each.id) ? each.state === "done" : each.at_ms > youngest)).forEach(keep);
    update({});
  } catch (problem) {
    if (!(problem instanceof ApiError)) throw problem;
  }
}

function ticked(tick) {
  const before = state.tick;
  const seconds = before ? (tick.now_ms - before.now_ms) / 1000 : 0;
  const rate = seconds > 0 ? Math.max(0, tick.requests - before.requests) / seconds : 0;
  update({ tick, rate: before ? state.rate * 0.6 + rate * 0.4 : 0 });
}

let following = false;
/** Start the live feed, unless it is on; after a lost connection it catches up by itself. A wrong token ends it. */
export async function start() {
  if (following) return;
  following = true;
  await follow("/admin/events", {
    hello: (overview) => { update({ overview, link: "open" }); catchUp(); },
    reload: (overview) => update({ overview }),
    request: (summary) => { keep(summary); update({}); },
    tick: ticked,
    lost: ({ count }) => { update({ lost: state.lost + count }); catchUp(); },
  }, (link) => { if (link === "lost" && state.link !== "locked") update({ link, tick: null }); });
  following = false;
}
