// The live list: newest on top, still while it is read, and one request open beside it.
import { html, useEffect, useMemo, useRef, useState } from "../dom.js";
import { wanted } from "../filter.js";
import { count } from "../format.js";
import { go } from "../router.js";
import { useStore } from "../store.js";
import { Empty } from "../ui.js";
import { Request } from "./request.js";
import { Rows } from "./rows.js";

/** Newest first; `held` is the list as it was when the reader began to read, with what has happened to its requests since. */
function listed(requests, matches, held) {
  const ids = held ?? [...requests.keys()].reverse();
  return ids.map((id) => requests.get(id)).filter((each) => each && matches(each));
}

/** Why the list stands still, in words; "" if it moves. */
function useStill(hovered, scrolled, open, requests) {
  const why = open ? "one is open" : scrolled ? "scrolled" : hovered ? "under the pointer" : "";
  const held = useRef(null);
  if (!why) held.current = null;
  else held.current ??= [...requests.keys()].reverse();
  return [why, held];
}

function Filter({ query, onQuery, shown, kept }) {
  const box = useRef(null);
  useEffect(() => {
    const focus = (event) => {
      if (event.key !== "/" || event.target.matches("input, textarea, select")) return;
      event.preventDefault();
      box.current.select();
    };
    addEventListener("keydown", focus);
    return () => removeEventListener("keydown", focus);
  }, []);
  return html`
    <search class="filter">
      <label class="hidden" for="filter">Filter requests</label>
      <input id="filter" ref=${box} type="search" placeholder="Filter: opus  phase:pattern  status:200" autocomplete="off" spellcheck="false"
        value=${query} onInput=${(event) => onQuery(event.target.value)} />
      <kbd aria-hidden="true">/</kbd>
      <span class="quiet" role="status">${query ? `${count(shown)} of ${count(kept)}` : `${count(kept)} kept`}</span>
    </search>`;
}

export function Live({ rest: open, params }) {
  const { requests, version, link } = useStore();
  const query = params.q ?? "";
  const [hovered, setHovered] = useState(false);
  const [scrolled, setScrolled] = useState(false);
  const list = useRef(null);
  const [why, held] = useStill(hovered, scrolled, open, requests);
  const matches = useMemo(() => wanted(query), [query]);
  const rows = useMemo(() => listed(requests, matches, held.current), [version, matches, held.current]);
  const fresh = held.current ? listed(requests, matches, null).length - rows.length : 0;
  const show = (id) => go("live", id, params, { quietly: Boolean(open) === Boolean(id) });
  const move = () => {
    held.current = null;
    setHovered(false);
    list.current?.scrollTo({ top: 0 });
    if (open) show("");
  };
  return html`
    <div class="live ${open ? "with-detail" : ""}">
      <div class="live-list">
        <div class="toolbar">
          <${Filter} query=${query} shown=${rows.length} kept=${requests.size} onQuery=${(q) => go("live", open, { ...params, q }, { quietly: true })} />
          <span class="still" role="status">${why ? html`<button type="button" onClick=${move}>${fresh > 0 ? `${count(fresh)} new, show` : `Still: ${why}`}</button>` : ""}</span>
        </div>
        ${rows.length
          ? html`<${Rows} rows=${rows} open=${open} onOpen=${show} listRef=${list} onScrolled=${setScrolled} onHovered=${setHovered} />`
          : html`<${Nothing} query=${query} link=${link} />`}
      </div>
      ${open && html`<${Request} key=${open} id=${open} summary=${requests.get(open)} onClose=${() => show("")} />`}
    </div>`;
}

const Nothing = ({ query, link }) => (query
  ? html`<${Empty} title="No request fits this filter.">Words must all be found; <code>phase:custom</code> looks into one field.<//>`
  : html`<${Empty} title=${link === "open" ? "No requests yet." : "Waiting for the proxy."}>Point a client here: <code>ANTHROPIC_BASE_URL=${location.origin}</code>, or <code>terraphim-proxy run -- claude</code>.<//>`);
