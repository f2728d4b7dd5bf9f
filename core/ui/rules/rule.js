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

function Rollout({ rollout: { figures: known, held, auto } }) {
  if (!known) return null;
  const shadowed = known.in_shadow ? `${count(known.disagreed)} of ${count(known.in_shadow)}` : "–";
  const faults = Object.entries(known.faults).map(([code, times]) => `${code} ${count(times)}`).join(", ") || "none";
  return html`
    <div class="figures">
      <h3>Since it came to this stage ${held && html`<${Badge} tone="warn" title="It was rolled back: only a person promotes it">held<//>`}</h3>
      <${Facts} facts=${[
        ["calls", count(known.calls)],
        ["would have decided", count(known.would_decide)],
        ["another target, in shadow", shadowed],
        ["faults", faults],
        ["of itself", { off: "stays", rollback: "goes back if it fails", promote: "goes on if it holds" }[auto] ?? auto],
      ]} />
    </div>`;
}

/** What was done to it, the last first. */
const History = ({ moves }) => html`
  <ol class="history">${moves.slice(-8).reverse().map((move, at) => html`
    <li key=${at}><span class="quiet">${String(move.at).slice(0, 19).replace("T", " ")}</span> ${move.action} ${move.from} → ${move.to} <span class="quiet">by ${move.by}${move.why && `: ${move.why}`}</span></li>`)}
  </ol>`;

const stageTone = { shadow: "info", off: "", enforce: "good" };

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
      <${Outcomes} outcomes=${rule.outcomes} />
      <div class="figures"><${Facts} facts=${figures(rule)} /></div>
      <${Rollout} rollout=${rule.rollout} />
      <details class="more">
        <summary>What it sees, where it lies, what was done to it</summary>
        <${Facts} facts=${[
          ["set by", rule.rollout.set_by],
          ["if it fails", rule.fail === "deny" ? "the request is refused" : "the next rule is asked"],
          ["sees", plain(rule.wants)],
          ["granted", plain(rule.grants)],
          ["trust", plain(rule.trust)],
          ["file", html`<code>${rule.file}</code>`],
          ["SHA-256", html`<code class="breaks">${rule.sha256}</code>`],
        ]} />
        ${rule.notes.map((note, at) => html`<p class="quiet" key=${at}>${note}</p>`)}
        ${rule.rollout.history.length > 0 && html`<h3>What was done to it</h3><${History} moves=${rule.rollout.history} />`}
      </details>
    </article>`;
}
