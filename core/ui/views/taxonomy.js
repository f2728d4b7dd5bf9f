// The taxonomy: a text to try, concepts with what they route to and how often they were found, and what lint says.
import { html } from "../dom.js";
import { Problems } from "../banners.js";
import { count } from "../format.js";
import { Concepts } from "../taxonomy/concepts.js";
import { Match } from "../taxonomy/match.js";
import { Card, Failure, useLoaded } from "../ui.js";

const EVERY_MS = 10000;

export function Taxonomy() {
  const { data, problem, reload } = useLoaded("/admin/taxonomy", EVERY_MS);
  return html`
    <div class="taxonomy">
      <${Failure} problem=${problem} retry=${reload} />
      <${Match} />
      ${data && html`
        <${Concepts} concepts=${data.concepts} patterns=${data.patterns} folder=${data.folder} />
        <${Card} title="Lint" aside=${html`<span class="quiet">${count(data.lint.length)} ${data.lint.length === 1 ? "finding" : "findings"}</span>`}>
          ${data.lint.length ? html`<${Problems} problems=${data.lint} />` : html`<p class="quiet">Nothing to say against it.</p>`}
        <//>`}
    </div>`;
}
