// The providers: is a key there, is each target well, how fast, and what was spent.
import { html } from "../dom.js";
import { brief, count, duration, money, percent } from "../format.js";
import { Badge, Card, Empty, Failure, Table, Target, useLoaded } from "../ui.js";

const EVERY_MS = 2000;

const KEYS = {
  found: ["good", "key found"],
  missing: ["bad", "no key"],
  "none needed": ["", "needs no key"],
};

function KeyState({ provider }) {
  const [tone, word] = KEYS[provider.key] ?? ["warn", provider.key];
  const many = provider.keys > 1 ? `${provider.keys} keys` : word;
  const silent = provider.simulated && provider.key === "none needed"; // who is not asked needs none, whatever it is
  return html`
    ${!silent && html`<${Badge} tone=${tone}>${provider.key === "found" ? many : word}<//>`}
    ${provider.resting > 0 && html` <${Badge} tone="warn" title="The provider refused them for now; the others are asked">${provider.resting} of ${provider.keys} resting<//>`}
    ${provider.simulated && html` <${Badge} tone="info" title="Answers are made up here; no provider is asked">simulated<//>`}`;
}

/** What to do where a key is missing. */
const advice = ({ name, key, key_from: from, simulated }) => {
  if (key !== "missing" || simulated) return "";
  return from ? `Its key is looked for in ${from}: put it there, and start the proxy again.` : `Give it a key: api_key = { env = "…" } in [providers.${name}].`;
};

/** Micro-USD for a million tokens, of what goes in and what comes out. */
function Price({ price }) {
  if (price?.input === undefined || price?.input === null) return html`<span class="quiet" title="Requests to it are counted as unpriced">unknown</span>`;
  return html`<span title=${`cache: read ${money(price.cache_read)}, write ${money(price.cache_write)}`}>${money(price.input)} / ${money(price.output)}</span>`;
}

function Health({ target }) {
  if (target.breaker === "open") return html`<${Badge} tone="bad" title="It failed too often: it is not asked for a while">breaker open<//>`;
  if (target.breaker === "probing") return html`<${Badge} tone="warn" title="One request tries whether it is back">probing<//>`;
  if (!target.healthy) return html`<${Badge} tone="warn">not well<//>`;
  return target.requests ? html`<${Badge} tone="good">well<//>` : html`<span class="quiet">not asked yet</span>`;
}

const errors = ({ errors: failed, requests }) =>
  failed ? html`<span><span class="tone-text-bad">${count(failed)}</span> <span class="quiet">${percent(failed / requests)}</span></span>` : html`<span class="quiet">0</span>`;

const COLUMNS = [
  { key: "target", label: "Target", render: ({ target }) => html`<${Target} target=${target.slice(target.indexOf(",") + 1)} />` },
  { key: "health", label: "Health", render: (target) => html`<${Health} target=${target} />` },
  { key: "requests", label: "Requests", num: true, render: ({ requests }) => count(requests) },
  { key: "errors", label: "Errors", num: true, render: errors },
  { key: "p50", label: "p50", num: true, render: ({ requests, p50_ms: ms }) => (requests ? duration(ms) : "–") },
  { key: "spend", label: "Spent", num: true, render: ({ spend_micro_usd: spent }) => money(spent) },
  { key: "window", label: "Window", num: true, render: ({ context_window: window }) => brief(window) },
  { key: "price", label: "In / out, 1M", num: true, render: ({ price }) => html`<${Price} price=${price} />` },
];

function Provider({ provider }) {
  const { name, dialect, base_url: host, spend, connections, targets } = provider;
  const busy = Object.entries(connections).filter(([, number]) => number).map(([what, number]) => `${count(number)} ${what}`).join(", ");
  return html`
    <${Card} class="provider">
      <header>
        <h2>${name}</h2>
        <p class="badges"><${KeyState} provider=${provider} /></p>
        <dl class="aside line">
          <div><dt>today</dt><dd>${money(spend?.today)}</dd></div>
          <div><dt>this hour</dt><dd>${money(spend?.hour)}</dd></div>
        </dl>
      </header>
      <p class="quiet"><code>${host}</code> speaks ${dialect}${busy && `; connections: ${busy}`}</p>
      ${advice(provider) && html`<p class="notice tone-warn">${advice(provider)}</p>`}
      <${Table} caption=${`Targets of ${name}`} columns=${COLUMNS} rows=${targets} rowKey=${({ target }) => target} />
    <//>`;
}

export function Providers() {
  const { data, problem, reload } = useLoaded("/admin/providers", EVERY_MS);
  return html`
    <div class="providers">
      <${Failure} problem=${problem} retry=${reload} />
      ${data?.providers.length === 0 && html`<${Empty} title="No provider is configured" />`}
      ${data?.providers.map((provider) => html`<${Provider} key=${provider.name} provider=${provider} />`)}
    </div>`;
}
