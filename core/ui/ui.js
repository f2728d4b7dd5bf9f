// Small parts that all views are made of. Text goes in as children, so that nothing a client wrote is ever markup.
import { html, useEffect, useLayoutEffect, useRef, useState } from "./dom.js";
import { get } from "./api.js";
import { UNKNOWN, parts } from "./format.js";

/** A word in a tinted box. `tone`: "", "good", "warn", "bad", "info", or a phase's name. */
export const Badge = ({ tone = "", title, children }) => html`<span class="badge ${tone && `tone-${tone}`}" title=${title}>${children}</span>`;

const PHASES = new Set(["runtime", "custom", "pattern", "default", "explicit", "subagent", "sticky"]);
export const Phase = ({ phase }) => html`<${Badge} tone=${PHASES.has(phase) ? phase : ""}>${phase || UNKNOWN}<//>`;

/** `provider,model`: the provider quiet, the model legible. */
export function Target({ target }) {
  const [provider, model] = parts(target);
  if (!model) return html`<span class="quiet">${UNKNOWN}</span>`;
  return html`<span class="target" title=${target}>${provider && html`<span class="quiet">${provider}<i>,</i></span>`}${model}</span>`;
}

/** A block with a heading; `aside` stands at the heading's right. */
export const Card = ({ title, aside, children, class: extra = "" }) => html`
  <section class="card ${extra}">
    ${title && html`<header><h2>${title}</h2>${aside && html`<div class="aside">${aside}</div>`}</header>`}
    ${children}
  </section>`;

/** Terms and values: [[term, value], …]; a value may be a component. */
export const Facts = ({ facts }) => html`
  <dl class="facts">${facts.map(([term, value]) => html`<div key=${term}><dt>${term}</dt><dd>${value}</dd></div>`)}</dl>`;

/** Nothing to show, why, and what to do about it. */
export const Empty = ({ title, children }) => html`<div class="empty"><p class="empty-title">${title}</p>${children && html`<p>${children}</p>`}</div>`;

/** What went wrong. */
export const Failure = ({ problem, retry }) => problem && html`
  <div class="notice tone-bad" role="alert"><p>${problem.message}</p>${retry && html`<button type="button" onClick=${retry}>Try again</button>`}</div>`;

/** A share of 1 as a bar; past `warn` it is warm, at 1 it is hot. */
export function Meter({ share, label, warn = 0.8 }) {
  const tone = share >= 1 ? "bad" : share >= warn ? "warn" : "good";
  const width = `${Math.min(1, Math.max(0, share || 0)) * 100}%`;
  return html`<div class="meter tone-${tone}" role="meter" aria-label=${label} aria-valuemin="0" aria-valuemax="100"
    aria-valuenow=${Math.round((share || 0) * 100)}><i style=${{ width }}></i></div>`;
}

/** A choice of few: [[value, label], …]. */
export const Choice = ({ label, options, value, onChange }) => html`
  <div class="choice" role="group" aria-label=${label}>
    ${options.map(([each, name]) => html`<button key=${each} type="button" aria-pressed=${each === value} onClick=${() => onChange(each)}>${name}</button>`)}
  </div>`;

/**
 * A table that becomes cards on narrow screens. `columns`: [{key, label, render(row), num, wide}], `rows` with `id` by `rowKey`.
 */
export const Table = ({ caption, columns, rows, rowKey, rowClass }) => html`
  <div class="scroll" tabindex="0" role="region" aria-label=${caption}>
    <table class="table">
      <caption class="hidden">${caption}</caption>
      <thead><tr>${columns.map((each) => html`<th key=${each.key} scope="col" class=${each.num ? "num" : ""}>${each.label}</th>`)}</tr></thead>
      <tbody>${rows.map((row) => html`
        <tr key=${rowKey(row)} class=${rowClass?.(row) ?? ""}>
          ${columns.map((each) => html`<td key=${each.key} class=${each.num ? "num" : ""} data-label=${each.label}>${each.render ? each.render(row) : row[each.key]}</td>`)}
        </tr>`)}
      </tbody>
    </table>
  </div>`;

/** A modal dialog: the browser keeps the focus in it and gives it back; Esc and `onClose` end it. */
export function Dialog({ title, onClose, children }) {
  const box = useRef(null);
  useLayoutEffect(() => { box.current.showModal(); }, []); // before another key reaches what is behind it
  return html`
    <dialog ref=${box} class="dialog" aria-label=${title} onClose=${onClose}>
      <h2>${title}</h2>
      ${children}
    </dialog>`;
}

/**
 * `GET path`, again every `everyMs` while the page is seen: {data, problem, reload}. Another path forgets what the last one gave.
 */
export function useLoaded(path, everyMs = 0) {
  const [found, setFound] = useState({ data: null, problem: null });
  const [turn, setTurn] = useState(0);
  useEffect(() => { setFound({ data: null, problem: null }); }, [path]);
  useEffect(() => {
    const stop = new AbortController();
    let timer = 0;
    let first = true; // a view that is opened in a hidden tab must not be empty when it is seen
    const load = async () => {
      if (first || !document.hidden) {
        first = false;
        try {
          const data = await get(path, { signal: stop.signal });
          setFound({ data, problem: null });
        } catch (problem) {
          if (stop.signal.aborted) return;
          setFound((before) => ({ data: before.data, problem }));
        }
      }
      if (everyMs && !stop.signal.aborted) timer = setTimeout(load, everyMs);
    };
    load();
    return () => { stop.abort(); clearTimeout(timer); };
  }, [path, everyMs, turn]);
  return { ...found, reload: () => setTurn((before) => before + 1) };
}

/** A custom property's colour as the browser sees it now; canvases need it spelled out. */
export function colour(name) {
  const probe = document.createElement("i");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
