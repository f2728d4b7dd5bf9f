// The decision in a line, what it changed, and everything behind it.
import { html } from "../dom.js";
import { Explanation } from "../explanation.js";
import { count, duration, money } from "../format.js";
import { Marked } from "../marked.js";
import { Badge, Card, Empty, Failure, Phase } from "../ui.js";
import { differences } from "./differences.js";
import { Order } from "./order.js";

function Headline({ explanation, micros }) {
  const { decision, features } = explanation;
  const { refusal, candidates, phase, reason } = decision;
  return html`
    <div class="headline" aria-live="polite" aria-atomic="true">
      ${refusal
        ? html`<p class="decided tone-bad"><span class="quiet">refused</span> ${refusal.status}</p><p>${refusal.message}</p>`
        : html`<p class="decided"><span class="quiet">${decision.provider},</span><wbr />${decision.model}</p>`}
      <p class="because"><${Phase} phase=${phase} /> <${Badge}>${reason}<//></p>
      <p class="quiet figures">
        <span>${count(features.token_count)} tokens</span>
        <span>${money(candidates[0]?.expected?.micro_usd)} expected</span>
        <span>${duration(micros / 1000)} to decide</span>
      </p>
      <${Order} phases=${explanation.phases} decided=${phase} />
    </div>`;
}

function Changes({ before, now, pinned, pin }) {
  const changed = before ? differences(before, now) : [];
  const button = html`<button type="button" aria-pressed=${pinned} onClick=${pin}>${pinned ? "Let go" : "Hold this one"}</button>`;
  return html`
    <${Card} title=${pinned ? "Against the one you hold" : "Against the decision before"} aside=${button} class="changes">
      ${changed.length === 0 && html`<p class="quiet">${before ? "Nothing differs." : "Nothing yet: change the request."}</p>`}
      <dl>${changed.map((each) => html`
        <div key=${each.what}><dt>${each.what}</dt><dd><del>${each.before}</del> <ins>${each.now}</ins></dd></div>`)}
      </dl>
    <//>`;
}

const matchesOf = (explanation) => explanation.phases.find((phase) => phase.phase === "pattern")?.matches ?? [];

/** What `useDecision` knows. */
export function Outcome({ answer, before, pinned, problem, asking, pin, broken }) {
  if (!answer) return problem ? html`<${Failure} problem=${problem} />` : html`<${Empty} title=${broken ? "The request is no JSON yet" : "Asking"} />`;
  const { explanation, text, micros } = answer;
  return html`
    <div class="outcome ${broken || problem ? "stale" : ""}" aria-busy=${asking}>
      <${Failure} problem=${problem} />
      <${Card}><${Headline} explanation=${explanation} micros=${micros} /><//>
      ${text && html`<${Card} title="What patterns read"><${Marked} text=${text} matches=${matchesOf(explanation)} /><//>`}
      <${Changes} before=${pinned ?? before} now=${explanation} pinned=${pinned !== null} pin=${pin} />
      <${Card}><${Explanation} explanation=${explanation} /><//>
    </div>`;
}
