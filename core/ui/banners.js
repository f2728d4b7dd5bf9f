// What the reader must know before anything else; read out politely when it changes.
import { html, useState } from "./dom.js";
import { clock, count } from "./format.js";
import { useStore } from "./store.js";

const where = ({ file, line }) => (line ? `${file}:${line}` : file);

export const Problems = ({ problems }) => html`
  <ul class="problems">${problems.map((each, at) => html`
    <li key=${at}><code>${where(each)}</code> <span>${each.message}</span>${each.hint && html`<span class="hint">${each.hint}</span>`}</li>`)}
  </ul>`;

function Reload({ overview }) {
  const { problems, last_reload: last } = overview;
  if (!problems.length) return null;
  const title = last?.outcome === "failed"
    ? `The change of ${clock(last.at_ms)} is not in use: ${problems.length === 1 ? "a file is" : `${problems.length} things are`} wrong. What served before still does.`
    : `${problems.length === 1 ? "One file has a problem" : `${problems.length} problems in the files`}; everything else serves.`;
  return html`
    <details class="notice ${last?.outcome === "failed" ? "tone-bad" : "tone-warn"}" open=${problems.length < 4}>
      <summary>${title}</summary>
      <${Problems} problems=${problems} />
    </details>`;
}

function Simulated() {
  const [seen, setSeen] = useState(false);
  if (seen) return null;
  return html`<p class="notice tone-info closable">Answers are simulated: no provider has a key. Routing is real. Set a provider's key, or start Ollama, and start the proxy again.<button type="button" class="close" aria-label="Hide this" onClick=${() => setSeen(true)}>×</button></p>`;
}

export function Banners() {
  const { overview, lost } = useStore();
  return html`
    <div class="banners" aria-live="polite">
      ${overview?.simulated && html`<${Simulated} />`}
      ${overview && html`<${Reload} overview=${overview} />`}
      ${overview?.restart.length > 0 && html`<p class="notice tone-warn">Changed, but in force only after a restart: ${overview.restart.map((each) => html`<code key=${each}>${each}</code> `)}</p>`}
      ${overview?.log_dropped > 0 && html`<p class="notice tone-warn">${count(overview.log_dropped)} log lines were dropped: who reads the log is too slow.</p>`}
      ${lost > 0 && html`<p class="notice tone-info">This page was too slow for ${count(lost)} requests; the list was loaded again.</p>`}
    </div>`;
}
