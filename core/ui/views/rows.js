// The list of requests: only the rows in sight are in the document, so that a thousand of them cost what thirty do.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../dom.js";
import { brief, clock, count, duration, money } from "../format.js";
import { Badge, Phase, Target } from "../ui.js";

const NARROW = matchMedia("(max-width: 760px)");
const WIDE_PX = 34;
const NARROW_PX = 96;
const SPARE = 8;
const COLUMNS = [
  ["at", "Time"], ["asked", "Requested"], ["to", "Answered by"], ["phase", "Phase"], ["reason", "Reason"], ["tokens", "Tokens"], ["cost", "Cost"], ["ms", "Took"], ["status", "Status"],
];

function useRowHeight() {
  const [narrow, setNarrow] = useState(NARROW.matches);
  useEffect(() => {
    const look = () => setNarrow(NARROW.matches);
    NARROW.addEventListener("change", look);
    return () => NARROW.removeEventListener("change", look);
  }, []);
  return narrow ? NARROW_PX : WIDE_PX;
}

/** First and last row in sight of the scrolled box, and a few more. */
function useWindow(box, height, total, onScrolled) {
  const [seen, setSeen] = useState({ top: 0, room: 800 });
  useLayoutEffect(() => {
    const look = () => {
      const { scrollTop, clientHeight } = box.current;
      onScrolled(scrollTop > height);
      setSeen((before) => (before.top === scrollTop && before.room === clientHeight ? before : { top: scrollTop, room: clientHeight }));
    };
    const sizes = new ResizeObserver(look);
    sizes.observe(box.current);
    box.current.addEventListener("scroll", look, { passive: true });
    const node = box.current;
    return () => { sizes.disconnect(); node.removeEventListener("scroll", look); onScrolled(false); };
  }, [height]);
  const first = Math.max(0, Math.min(total, Math.floor(seen.top / height)) - SPARE);
  return [first, Math.min(total, Math.ceil((seen.top + seen.room) / height) + SPARE)];
}

/** j and k, arrows, Home and End move; Enter opens, Esc closes. */
function useKeys(box, rows, height, current, setCurrent, open, onOpen) {
  const latest = useRef(null);
  latest.current = (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("textarea, select, dialog *")) return;
    const inBox = event.target.matches("input");
    if (inBox && !["ArrowDown", "Escape", "Enter"].includes(event.key)) return;
    const at = rows.findIndex((each) => each.id === current);
    const to = { j: at + 1, ArrowDown: at + 1, k: at - 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      const index = Math.max(0, Math.min(rows.length - 1, to));
      setCurrent(rows[index].id);
      reveal(box.current, index, height);
      if (inBox) box.current.focus();
      if (open) onOpen(rows[index].id);
    } else if (event.key === "Enter" && at >= 0 && !event.target.closest("a, button, summary")) {
      onOpen(current);
    } else if (event.key === "Escape") {
      if (open) onOpen("");
      else if (current) setCurrent("");
      else if (inBox) event.target.blur();
    }
  };
  useEffect(() => {
    const press = (event) => latest.current(event);
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
}

function reveal(box, index, height) {
  const head = box.querySelector("thead")?.offsetHeight ?? 0;
  const top = index * height;
  if (top < box.scrollTop) box.scrollTop = top;
  else if (top + height + head > box.scrollTop + box.clientHeight) box.scrollTop = top + height + head - box.clientHeight;
}

export function Rows({ rows, open, onOpen, listRef: box, onScrolled, onHovered }) {
  const height = useRowHeight();
  const [current, setCurrent] = useState(open);
  useEffect(() => () => onHovered(false), []); // rows that go while the pointer is on them are not left by it
  const [first, last] = useWindow(box, height, rows.length, onScrolled);
  useKeys(box, rows, height, current, setCurrent, open, onOpen);
  const hover = (on) => (event) => { if (event.pointerType === "mouse") onHovered(on); };
  return html`
    <div class="rows" ref=${box} tabindex="0" role="region" aria-label="Requests, newest first" onPointerEnter=${hover(true)} onPointerLeave=${hover(false)}>
      <table aria-rowcount=${rows.length + 1}>
        <thead><tr aria-rowindex="1">${COLUMNS.map(([key, label]) => html`<th key=${key} scope="col" class="c-${key}">${label}</th>`)}</tr></thead>
        <tbody>
          <tr aria-hidden="true" style=${{ height: `${first * height}px` }}></tr>
          ${rows.slice(first, last).map((row, at) => html`
            <${Row} key=${row.id} row=${row} index=${first + at + 2} current=${row.id === current} open=${row.id === open}
              onOpen=${() => { setCurrent(row.id); onOpen(row.id); }} />`)}
          <tr aria-hidden="true" style=${{ height: `${(rows.length - last) * height}px` }}></tr>
        </tbody>
      </table>
    </div>`;
}

function Row({ row, index, current, open, onOpen }) {
  const { tokens } = row;
  const taken = tokens.input + tokens.cache_read + tokens.cache_write;
  const classes = `${current ? "current" : ""} ${open ? "is-open" : ""} ${row.state}`;
  return html`
    <tr class=${classes} aria-rowindex=${index} onClick=${onOpen}>
      <td class="c-at mono">${clock(row.at_ms)}</td>
      <td class="c-asked"><button type="button" class="plain" aria-expanded=${open} title=${row.id} tabindex=${current ? 0 : -1}>${row.requested || "–"}</button>${row.client && html`<span class="quiet"> ${row.client}</span>`}</td>
      <td class="c-to"><${Target} target=${row.answered_by ?? row.target} />${row.attempts > 1 && html`<${Badge} tone="warn" title="attempts">×${row.attempts}<//>`}${row.cache === "hit" && html`<${Badge} tone="info">cache<//>`}</td>
      <td class="c-phase"><${Phase} phase=${row.phase} /></td>
      <td class="c-reason" title=${row.reason}>${row.reason}</td>
      <td class="c-tokens num" title=${`${count(taken)} in, ${count(tokens.output)} out`}>${row.state === "open" ? "" : html`${brief(taken)}<i>→</i>${brief(tokens.output)}`}</td>
      <td class="c-cost num">${row.state === "open" ? "" : money(row.cost_micro_usd)}</td>
      <td class="c-ms num">${row.state === "open" ? html`<span class="busy">…</span>` : duration(row.ms)}</td>
      <td class="c-status num"><${Status} row=${row} /></td>
    </tr>`;
}

export function Status({ row }) {
  if (row.state === "open") return html`<${Badge} tone="info">open<//>`;
  const bad = row.status >= 400 || row.error;
  return html`<${Badge} tone=${bad ? "bad" : ""} title=${row.error}>${row.status || "–"}<//>`;
}
