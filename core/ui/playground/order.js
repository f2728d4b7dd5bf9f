// The order of the phases as one line: who passed, who decided, who was never asked.
import { html } from "../dom.js";

/** What became of a phase, for people who cannot see colours too. */
export function fate(phase, decided) {
  if (phase.outcome === "not reached" || phase.outcome === "not weighed") return "skipped";
  if (phase.phase === decided) return "decided";
  return "passed";
}

const SIGNS = { decided: "●", passed: "○", skipped: "·" };

/** `phases` of an explanation; `decided` is the deciding one's name. */
export const Order = ({ phases, decided }) => html`
  <ol class="order" aria-label="Phases in their order">${phases.map((phase) => {
    const what = fate(phase, decided);
    return html`
      <li key=${phase.phase} class="${what} tone-${phase.phase}" title=${phase.why ?? phase.outcome}>
        <i aria-hidden="true">${SIGNS[what]}</i><b>${phase.phase}</b><small>${phase.outcome}</small>
      </li>`;
  })}</ol>`;
