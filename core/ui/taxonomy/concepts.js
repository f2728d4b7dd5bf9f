// All concepts, those that were found last first; a word filters them.
import { html, useState } from "../dom.js";
import { ago, count } from "../format.js";
import { Sparkline } from "../sparkline.js";
import { Badge, Card, Choice, Table, Target } from "../ui.js";

/** Rows that are drawn; a filter finds the others. */
const MOST = 200;

function Routes({ concept }) {
  if (!concept.routes.length && !concept.unrouted.length) return html`<span class="quiet">–</span>`;
  return html`
    <ul class="routes">
      ${concept.routes.filter((target) => !concept.unrouted.includes(target)).map((target) => html`<li key=${target}><${Target} target=${target} /></li>`)}
      ${concept.unrouted.map((target) => html`<li key=${target} class="quiet"><s>${target}</s> <${Badge} tone="warn" title="Its provider is not configured: the route is skipped">not there<//></li>`)}
    </ul>`;
}

function Synonyms({ concept }) {
  const more = concept.synonym_count - concept.synonyms.length;
  return html`
    <details class="more synonyms">
      <summary>${count(concept.synonym_count)}</summary>
      <p>${concept.synonyms.join(", ")}${more > 0 ? ` and ${count(more)} more` : ""}</p>
    </details>`;
}

const COLUMNS = [
  { key: "concept", label: "Concept", render: (each) => html`<span><b>${each.concept}</b><small class="quiet breaks">${each.path}</small></span>` },
  { key: "routes", label: "Routes", render: (each) => html`<${Routes} concept=${each} />` },
  { key: "matches", label: "Last hour", render: (each) => html`<${Sparkline} numbers=${each.matches} label=${`${each.concept}: matches over the last hour`} />` },
  { key: "total", label: "Matches", num: true, render: (each) => html`<span title=${each.last_ms ? `last ${ago(each.last_ms, Date.now())}` : "not yet"}>${count(each.total)}</span>` },
  { key: "priority", label: "Priority", num: true, render: ({ priority }) => count(priority) },
  { key: "synonyms", label: "Synonyms", render: (each) => html`<${Synonyms} concept=${each} />` },
];

const KINDS = [["routes", "With routes"], ["all", "All"]];

/** The concepts that a filter leaves, the most found first. Pure. */
export function chosen(concepts, kind, words) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  const has = (each) => [each.concept, each.path, ...each.synonyms, ...each.routes].join("\n").toLowerCase();
  return concepts
    .filter((each) => kind === "all" || each.routes.length || each.unrouted.length)
    .filter((each) => !wanted.length || wanted.every((word) => has(each).includes(word)))
    .sort((one, other) => other.total - one.total || other.priority - one.priority || (one.concept < other.concept ? -1 : 1));
}

export function Concepts({ concepts, patterns, folder }) {
  const [kind, setKind] = useState("routes");
  const [words, setWords] = useState("");
  const rows = chosen(concepts, kind, words);
  return html`
    <${Card} title="Concepts" class="concepts" aside=${html`<${Choice} label="Which concepts" options=${KINDS} value=${kind} onChange=${setKind} />`}>
      <p class="quiet">${count(concepts.length)} concepts, ${count(patterns)} patterns, from <code class="breaks">${folder}</code></p>
      <input type="search" aria-label="Filter concepts" placeholder="Filter by name, synonym or target" value=${words} onInput=${(event) => setWords(event.target.value)} />
      <${Table} caption="Concepts" columns=${COLUMNS} rows=${rows.slice(0, MOST)} rowKey=${({ path, concept }) => `${path} ${concept}`} />
      ${rows.length > MOST && html`<p class="quiet">${count(rows.length - MOST)} more: filter to see them.</p>`}
      ${rows.length === 0 && html`<p class="quiet">None.</p>`}
    <//>`;
}
