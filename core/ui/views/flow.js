// The way of requests as a picture: client, phase, rule or concept, target; as wide as their number or their cost.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../dom.js";
import { brief, count, money, parts, percent } from "../format.js";
import { go } from "../router.js";
import { COLUMNS, layout, merged } from "../sankey.js";
import { useStore } from "../store.js";
import { Card, Choice, Empty, Failure, Phase, Table, Target, useLoaded } from "../ui.js";

const EVERY_MS = 3000;
const HEADS = ["Client", "Phase", "Reason", "Target"];
const NAMES_PX = 190; // room for the targets' names, right of the picture
const MEASURES = { count: (edge) => edge.count, cost: (edge) => edge.cost_micro_usd };
const KNOWN = ["explicit", "subagent", "runtime", "custom", "pattern", "default"];

export function Flow({ params }) {
  const { overview } = useStore();
  const minutes = ["5", "60", "1440"].includes(params.minutes) ? params.minutes : "60";
  const by = params.by === "cost" ? "cost" : "count";
  const { data, problem, reload } = useLoaded(`/admin/flow?minutes=${minutes}`, EVERY_MS);
  const set = (change) => go("flow", "", { minutes, by, ...change }, { quietly: true });
  const ribbons = useMemo(() => (data ? merged(data.edges, MEASURES[by]) : []), [data, by]);
  return html`
    <div class="toolbar">
      <${Choice} label="Time" value=${minutes} onChange=${(value) => set({ minutes: value })} options=${[["5", "5 min"], ["60", "1 hour"], ["1440", "1 day"]]} />
      <${Choice} label="As wide as" value=${by} onChange=${(value) => set({ by: value })} options=${[["count", "Requests"], ["cost", "Cost"]]} />
    </div>
    <${Failure} problem=${problem} retry=${reload} />
    ${data && (ribbons.length
      ? html`<${Picture} ribbons=${ribbons} by=${by} order=${["explicit", "subagent", ...(overview?.order ?? KNOWN)]} /><${Listing} ribbons=${ribbons} />`
      : html`<${Empty} title=${by === "cost" && data.edges.length ? "Nothing of this time has a known price." : "No requests in this time."}>Requests of this process appear here as they are decided.<//>`)}`;
}

function useWidth(box) {
  const [width, setWidth] = useState(900);
  useLayoutEffect(() => {
    const sizes = new ResizeObserver(([entry]) => setWidth(entry.contentRect.width));
    sizes.observe(box.current);
    return () => sizes.disconnect();
  }, []);
  return width;
}

function Picture({ ribbons, by, order }) {
  const box = useRef(null);
  const width = Math.max(720, useWidth(box));
  const inner = width - NAMES_PX;
  const [lit, setLit] = useState(null);
  const drawn = useMemo(() => layout(ribbons, { width: inner, room: Math.min(560, Math.max(300, innerHeight - 330)), order }), [ribbons, width, order.join()]);
  const total = ribbons.reduce((sum, each) => sum + each.value, 0);
  const value = by === "cost" ? money : brief;
  const touches = (ribbon) => !lit || lit.key === ribbon.key || (lit.name !== undefined && ribbon.names[lit.column] === lit.name);
  const light = (what) => ({ onPointerEnter: () => setLit(what), onPointerLeave: () => setLit(null), onFocus: () => setLit(what), onBlur: () => setLit(null) });
  useEffect(() => { setLit(null); }, [by]);
  return html`
    <${Card} class="flow">
      <p class="said" role="status">${lit ? said(lit, ribbons, total, by) : html`<span class="quiet">Point at a ribbon or a name, or walk through them with the Tab key.</span>`}</p>
      <div class="flow-box" ref=${box}>
        <div class="flow-heads" style=${{ width: `${inner}px` }} aria-hidden="true">${HEADS.map((head) => html`<span key=${head}>${head}</span>`)}</div>
        <svg width=${width} height=${drawn.height + 4} viewBox=${`0 -2 ${width} ${drawn.height + 4}`} role="group" aria-label=${`Flow of requests by ${by}; the table below says the same`}>
          <g class="ribbons">${drawn.ribbons.map((each) => html`
            <path key=${each.key} class=${`tone-${each.names[1] || "default"} ${touches(each) ? "" : "dim"}`} d=${each.path.d} stroke-width=${each.path.thickness}
              tabindex="0" role="img" aria-label=${each.names.map(shown).join(", ")} ...${light(each)} />`)}</g>
          <g class="nodes">${drawn.nodes.map((node) => html`<${Node} key=${`${node.column} ${node.name}`} node=${node} value=${value} light=${light(node)} />`)}</g>
        </svg>
      </div>
    <//>`;
}

const shown = (name) => name || "–";
const short = (name, most) => (name.length > most ? `${name.slice(0, most - 1)}…` : shown(name));

function Node({ node, value, light }) {
  const last = node.column === COLUMNS.length - 1;
  const name = short(last ? parts(node.name)[1] : node.name, last ? 24 : 34);
  return html`
    <g tabindex="0" role="img" aria-label=${`${COLUMNS[node.column]} ${shown(node.name)}: ${value(node.value)}`} ...${light}>
      <rect class=${node.column === 1 ? `tone-${node.name}` : ""} x=${node.x} y=${node.y} width=${node.width} height=${node.height} rx="2" />
      <text x=${node.x + node.width + 6} y=${node.y + node.height / 2} dominant-baseline="central">${name}<tspan class="figure" dx="6">${value(node.value)}</tspan></text>
    </g>`;
}

/** What is lit, in a sentence. */
function said(lit, ribbons, total, by) {
  const through = lit.key ? [lit] : ribbons.filter((each) => each.names[lit.column] === lit.name);
  const sum = (key) => through.reduce((all, each) => all + each[key], 0);
  const share = percent(sum("value") / total);
  const what = lit.key ? html`${lit.names.map((name, at) => html`${at > 0 && html`<span class="quiet"> → </span>`}<b>${shown(name)}</b>`)}` : html`<b>${shown(lit.name)}</b>`;
  return html`${what}: ${count(sum("count"))} requests, ${money(sum("cost"))}, ${brief(sum("tokens"))} tokens, ${count(sum("errors"))} failed; ${share} of all ${by === "cost" ? "cost" : "requests"}`;
}

function Listing({ ribbons }) {
  const columns = [
    { key: "client", label: "Client", render: ({ names }) => shown(names[0]) },
    { key: "phase", label: "Phase", render: ({ names }) => html`<${Phase} phase=${names[1]} />` },
    { key: "reason", label: "Reason", render: ({ names }) => shown(names[2]) },
    { key: "target", label: "Target", render: ({ names }) => html`<${Target} target=${names[3]} />` },
    { key: "count", label: "Requests", num: true, render: (each) => count(each.count) },
    { key: "errors", label: "Failed", num: true, render: (each) => count(each.errors) },
    { key: "tokens", label: "Tokens", num: true, render: (each) => brief(each.tokens) },
    { key: "cost", label: "Cost", num: true, render: (each) => money(each.cost) },
  ];
  return html`<${Card} title="The same as a table"><${Table} caption="Flow of requests" columns=${columns} rows=${ribbons} rowKey=${(each) => each.key} /><//>`;
}
