// One rule: how far it is rolled out, what it said, what it costs, what it may see, what is wrong with it.
import { html } from "../dom.js";
import { count, micros, percent, plain } from "../format.js";
import { Badge, Facts } from "../ui.js";
import { actionsOf, effectOf, stageOf } from "./actions.js";
import { CODES, toneOf } from "./tones.js";

const share = (part) => (part < 0.001 ? "<0.1%" : percent(part));

/** Counts of outcomes as one bar, and in words. */
function Outcomes({ outcomes }) {
  const known = CODES.filter((code) => outcomes[code]);
  const total = known.reduce((sum, code) => sum + outcomes[code], 0);
  if (!total) return html`<p class="quiet">Not asked yet.</p>`;
  return html`
    <div class="outcome-bar" aria-hidden="true">${known.map((code) => html`<i key=${code} class="code-${code}" style=${{ flexGrow: outcomes[code] }}></i>`)}</div>
    <ul class="legend">${known.map((code) => html`
      <li key=${code}><i class="code-${code}" aria-hidden="true"></i>${code} <b>${count(outcomes[code])}</b> <span class="quiet">${share(outcomes[code] / total)}</span></li>`)}
    </ul>`;
}

function Rollout({ rollout }) {
  if (!rollout) return null;
  const shadowed = rollout.in_shadow ? `${count(rollout.disagreed)} of ${count(rollout.in_shadow)}` : "–";
  const faults = Object.entries(rollout.faults ?? {}).map(([code, times]) => `${code} ${count(times)}`).join(", ") || "none";
  return html`
    <div class="figures">
      <h4>Since it came to this stage${rollout.held ? html` <${Badge} tone="warn" title="Only a person promotes it">held<//>` : ""}</h4>
      <${Facts} facts=${[
        ["calls", count(rollout.calls)],
        ["would have decided", count(rollout.would_decide)],
        ["another target, in shadow", shadowed],
        ["faults", faults],
      ]} />
    </div>`;
}

const stageTone = { shadow: "info", off: "", on: "good", enforce: "good" };

function Badges({ rule }) {
  const stage = stageOf(rule);
  return html`
    <${Badge} tone=${rule.enabled ? stageTone[stage] ?? "warn" : ""} title=${effectOf(stage)}>${rule.enabled ? stage : "disabled"}<//>
    ${rule.breaker !== "closed" && html` <${Badge} tone="bad" title="It failed too often and is left alone for a while">breaker ${rule.breaker}<//>`}`;
}

function figures({ priority, fuel, micros: times }) {
  const known = fuel?.max > 0;
  return [
    ["priority", plain(priority)],
    ["fuel, mean and most", known ? `${count(fuel.mean)}, ${count(fuel.max)}` : "–"],
    ["time, p50 and p99", known ? `${micros(times.p50)}, ${micros(times.p99)}` : "–"],
  ];
}

/** `act(action)` asks for one of `actionsOf`. */
export function Rule({ rule, act }) {
  return html`
    <article class="card rule ${rule.enabled ? "" : "off"}" aria-label=${`Rule ${rule.name}`} tabindex="-1" data-rule=${rule.name}>
      <header>
        <h2 class="mono">${rule.name}</h2>
        <p class="badges"><${Badges} rule=${rule} /></p>
        <div class="aside buttons">${actionsOf(rule).map((action) => html`<button key=${action.place} type="button" onClick=${() => act(action)}>${action.label}</button>`)}</div>
      </header>
      ${rule.problem && html`<p class="notice tone-bad">${rule.problem}</p>`}
      ${rule.hidden_by && html`<p class="notice tone-warn">${rule.hidden_by}</p>`}
      <${Outcomes} outcomes=${rule.outcomes} />
      <div class="figures"><${Facts} facts=${figures(rule)} /></div>
      <${Rollout} rollout=${rule.rollout} />
      <details class="more">
        <summary>What it sees, and where it lies</summary>
        <${Facts} facts=${[
          ["sees", plain(rule.wants)],
          ["granted", plain(rule.grants)],
          ["file", html`<code>${rule.file}</code>`],
          ["SHA-256", html`<code class="breaks">${rule.sha256}</code>`],
        ]} />
      </details>
    </article>`;
}
