// Why a request goes where it goes, phase by phase: what `POST /v1/route` answers, for people.
import { html } from "./dom.js";
import { count, micros, money, plain, words } from "./format.js";
import { Badge, Phase, Table, Target } from "./ui.js";

/** Said elsewhere in the block of its phase. */
const SAID = new Set(["rule", "concept", "how", "score", "spans", "target", "why"]);
const TONES = { __proto__: null, decided: "good", "not reached": "", refused: "bad", denied: "bad" };

/** `{decision, features, session, phases, …}`; `Words` may show matches in a text of the reader's own. */
export const Explanation = ({ explanation }) => html`
  <section class="phases">
    <h3>Phases</h3>
    <ol>${explanation.phases.map((each) => html`<${PhaseBlock} key=${each.phase} phase=${each} decided=${each.phase === explanation.decision.phase} />`)}</ol>
  </section>
  <${Candidates} decision=${explanation.decision} />`;

function PhaseBlock({ phase, decided }) {
  const reached = phase.outcome !== "not reached";
  return html`
    <li class="phase ${decided ? "decided" : ""} ${reached ? "" : "unreached"}">
      <header><${Phase} phase=${phase.phase} /><span class="tone-${decided ? "good" : TONES[phase.outcome] || "none"}">${phase.outcome}</span>${phase.why && html`<span class="quiet">${phase.why}</span>`}</header>
      ${reached && html`
        <${LookedAt} phase=${phase} />
        ${phase.rules?.length > 0 && html`<ul class="outcomes">${phase.rules.map((rule) => html`<${Rule} key=${rule.rule} rule=${rule} />`)}</ul>`}
        ${phase.matches?.length > 0 && html`<ul class="outcomes">${phase.matches.map((match, at) => html`<${Match} key=${at} match=${match} />`)}</ul>`}
        <${Steps} steps=${phase.steps} said=${phase.outcome} />`}
    </li>`;
}

const LOOKED = {
  __proto__: null, // a phase may have any name
  explicit: (at) => `the model's name ${plain(at.model)}${at.subagent_target ? `, the subagent's tag ${at.subagent_target}` : ""}`,
  runtime: (at) => [
    `${count(at.token_count)} tokens`, at.effort && at.effort !== "none" && `effort ${at.effort}`, at.image_in_last_turn && "an image", at.web_search && "web search",
    at.background && "background", at.request_class,
  ].filter(Boolean).join(", "),
  custom: (at) => (at.rules === undefined ? "" : `${count(at.rules)} ${at.rules === 1 ? "rule" : "rules"}`),
  pattern: (at) => `${count(at.characters)} characters${at.concepts === undefined ? "" : `, ${count(at.concepts)} concepts`}`,
  default: (at) => at.default ?? "",
  sticky: (at) => `turn ${count(at.turns + 1)}, ${at.home ? `at home with ${at.home}` : "at home nowhere yet"}${at.tool_loop ? ", tools at work" : ""}`,
  fallback: (at) => (at.fallback?.length ? at.fallback.join("; ") : ""),
};

function LookedAt({ phase }) {
  const looked = phase.looked_at ?? {};
  const line = LOOKED[phase.phase]?.(looked) ?? plain(looked);
  const scenarios = (looked.scenarios ?? []).filter((each) => each.holds);
  return html`
    ${line && html`<p class="looked"><span class="quiet">looked at</span> ${line}</p>`}
    ${scenarios.map((each) => html`<p class="looked" key=${each.scenario}><${Badge} tone="runtime">${each.scenario}<//> ${each.route ? html`<${Target} target=${each.route} />` : html`<span class="quiet">holds, and has no route</span>`}</p>`)}`;
}

function Rule({ rule }) {
  if (!rule.asked) return html`<li><b>${rule.rule}</b> <span class="quiet">not asked: ${rule.why}</span></li>`;
  const said = ["route", "reason", "score", "deny_status", "deny_message", "message"].filter((key) => key in rule);
  return html`
    <li>
      <b>${rule.rule}</b> <${Badge} tone=${{ __proto__: null, route: "good", deny: "bad", abstain: "" }[rule.outcome] ?? "warn"}>${rule.outcome}<//>
      ${rule.shadow && html`<${Badge} tone="info">in shadow<//>`}${rule.canary && html`<${Badge} tone="info">canary: ${rule.canary}<//>`}
      ${said.map((key) => html`<span key=${key}><span class="quiet">${words(key)}</span> ${plain(rule[key])}</span>`)}
      <span class="figures num">${count(rule.fuel)} fuel, ${micros(rule.micros)}</span>
    </li>`;
}

const Match = ({ match }) => html`
  <li>
    <b>${match.concept}</b> <span class="quiet">${match.how}</span>
    ${match.spans.map((span, at) => html`<span key=${at} class="span">${(span.words || span.pattern) && html`<code>${span.words || span.pattern}</code> `}<span class="quiet">${span.start}–${span.end}</span></span>`)}
    <span class="figures num">score ${count(match.score)}, priority ${count(match.priority)}</span>
  </li>`;

/** `said`: what the phase's heading says already. */
function Steps({ steps, said }) {
  const shown = steps.filter((step) => !("rule" in step.detail));
  if (!shown.length) return null;
  return html`
    <ul class="steps">${shown.map((step, at) => {
      const { target, why, concept } = step.detail;
      const figures = Object.entries(step.detail).filter(([key]) => !SAID.has(key));
      return html`
        <li key=${at} class=${step.phase === "gate" ? "gate" : ""}>
          ${step.phase === "gate" && html`<${Badge} tone="warn">gate<//>`} ${step.outcome === said && !target ? "" : step.outcome} ${target && html`<${Target} target=${target} />`}
          ${concept && html`<span class="quiet">by concept ${concept}</span>`}
          ${figures.map(([key, value]) => html`<span key=${key} class="figure"><span class="quiet">${words(key.replace(/_micro_usd$/, ""))}</span> ${key.endsWith("_micro_usd") ? money(value) : plain(value)}</span>`)}
          ${why && html`<span class="why">${plain(why)}</span>`}
        </li>`;
    })}</ul>`;
}

function Candidates({ decision }) {
  if (decision.refusal) return html`<p class="notice tone-bad">Refused with ${decision.refusal.status}: ${decision.refusal.message}</p>`;
  const columns = [
    { key: "at", label: "", render: (row) => row.at },
    { key: "target", label: "Target", render: (row) => html`<${Target} target=${row.target} /><${Notes} candidate=${row} />` },
    { key: "tokens", label: "Tokens", num: true, render: (row) => html`${count(row.tokens)}${row.expected.cached_tokens > 0 && html`<br /><span class="quiet">${count(row.expected.cached_tokens)} cached</span>`}` },
    { key: "cost", label: "Expected", num: true, render: (row) => money(row.expected.micro_usd) },
    { key: "most", label: "At most", num: true, render: (row) => money(row.expected.most_micro_usd) },
  ];
  const rows = decision.candidates.map((each, at) => ({ ...each, at: at + 1 }));
  return html`
    <section class="candidates">
      <h3>Candidates, in the order in which they are asked</h3>
      <${Table} caption="Candidates" columns=${columns} rows=${rows} rowKey=${(row) => row.at} />
    </section>`;
}

const Notes = ({ candidate }) => html`
  ${candidate.drop_thinking && html` <${Badge} tone="warn">without thinking<//>`}
  ${candidate.max_tokens && html` <span class="quiet">max ${count(candidate.max_tokens)}</span>`}
  ${candidate.unverified?.length > 0 && html` <${Badge} title=${`not known whether it can: ${plain(candidate.unverified)}`}>unverified<//>`}`;
