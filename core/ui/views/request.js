// One request: what was decided and why, how long what took, who was asked.
import { html, useEffect, useRef } from "../dom.js";
import { count, duration, moment, money } from "../format.js";
import { Explanation } from "../explanation.js";
import { Badge, Facts, Failure, Phase, Target, useLoaded } from "../ui.js";
import { Status } from "./rows.js";

/** The time from arrival to the end, in parts: deciding, waiting for the first content, the answer. */
function Timings({ timings }) {
  const { decided_ms: decided, first_ms: first, ms } = timings;
  if (!ms) return null;
  const until = first ?? ms;
  const stretches = [
    ["decided", 0, decided ?? 0],
    [first === null ? "waited for the answer" : "waited for first content", decided ?? 0, until],
    ["answer went on", until, ms],
  ].filter(([, from, to]) => to > from);
  return html`
    <section class="timing">
      <h3>Time</h3>
      <div class="bar" aria-hidden="true">${stretches.map(([name, from, to], at) => html`<i key=${name} class="part-${at}" style=${{ flexGrow: to - from }}></i>`)}</div>
      <ol>${stretches.map(([name, from, to], at) => html`<li key=${name}><i class="part-${at}" aria-hidden="true"></i>${name} <b>${duration(to - from)}</b></li>`)}<li>in all <b>${duration(ms)}</b></li></ol>
    </section>`;
}

function Attempts({ attempts, passedOver }) {
  if (!attempts.length && !passedOver.length) return null;
  return html`
    <section>
      <h3>Attempts</h3>
      <ol class="attempts">
        ${attempts.map((each, at) => html`<li key=${at}><${Target} target=${each.target} /><${Badge} tone=${each.outcome === "ok" ? "good" : "bad"}>${each.outcome}<//><span class="num">${duration(each.ms)}</span>${each.key ? html`<span class="quiet">key ${each.key}</span>` : ""}</li>`)}
        ${passedOver.map(([target, why], at) => html`<li key=${`p${at}`}><${Target} target=${target} /><${Badge} tone="warn">passed over<//><span class="quiet">${why}</span></li>`)}
      </ol>
    </section>`;
}

const about = (row) => [
  ["at", moment(row.at_ms)],
  ["endpoint", html`<code>${row.endpoint}</code>`],
  ["client", [row.client, row.agent, row.class].filter(Boolean).join(", ") || "–"],
  row.session && ["session", html`<code>${row.session}</code>`],
  ["tokens", `${count(row.tokens.input)} in, ${count(row.tokens.output)} out${row.tokens.cache_read ? `, ${count(row.tokens.cache_read)} from cache` : ""}${row.tokens.cache_write ? `, ${count(row.tokens.cache_write)} to cache` : ""}`],
  ["cost", money(row.cost_micro_usd)],
  row.cache && ["answer cache", row.cache],
  ["snapshot", html`<code>${row.snapshot.slice(0, 12)}</code>`],
].filter(Boolean);

export function Request({ id, summary, onClose }) {
  const { data, problem, reload } = useLoaded(`/admin/requests/${encodeURIComponent(id)}`);
  const box = useRef(null);
  const done = summary?.state === "done";
  useEffect(() => { if (done) reload(); }, [done]);
  const row = data?.summary ?? summary;
  return html`
    <aside class="detail" ref=${box} tabindex="-1" aria-label=${`Request ${id}`}>
      <header>
        <h2 class="mono">${id}</h2>
        <button type="button" class="close" aria-label="Close" title="Close (Esc)" onClick=${onClose}>×</button>
      </header>
      ${problem && html`<${Failure} problem=${problem} retry=${reload} />`}
      ${row && html`
        <p class="route"><span class="asked">${row.requested || "–"}</span><span aria-label="goes to">→</span><${Target} target=${row.answered_by ?? row.target} /></p>
        <p class="chips"><${Status} row=${row} /><${Phase} phase=${row.phase} /><span class="reason">${row.reason}</span>${row.simulated && html`<${Badge} tone="info">simulated<//>`}${row.stream && html`<${Badge}>stream<//>`}</p>
        ${row.error && html`<p class="notice tone-bad">${row.error}</p>`}
        <${Facts} facts=${about(row)} />`}
      ${data && html`
        <${Timings} timings=${data.timings} />
        <${Attempts} attempts=${data.attempts} passedOver=${data.passed_over} />
        ${data.explanation && html`<${Explanation} explanation=${data.explanation} />`}`}
    </aside>`;
}
