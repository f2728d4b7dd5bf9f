// What the proxy promises, what this process counted of it, and what proves it.
import { html } from "../dom.js";
import { count } from "../format.js";
import { Badge, Card, Failure, useLoaded } from "../ui.js";

const EVERY_MS = 5000;

/** A metric's name, which may be broken where its words end. */
const Metric = ({ name }) => html`<code>${name.split(/(?<=[_{])/).map((part, at) => html`${at > 0 && html`<wbr />`}${part}`)}</code>`;

const Counter = ({ counter: { metric, value, must, ok } }) => html`
  <li class=${ok ? "" : "tone-bad"}>
    <b class="num">${count(value)}</b>
    <span><${Metric} name=${metric} />${must === "zero" && html` <${Badge} tone=${ok ? "good" : "bad"}>${ok ? "none, as promised" : "must be none"}<//>`}</span>
  </li>`;

const broken = ({ counters }) => counters.some(({ ok }) => !ok);

function Promised({ promise }) {
  return html`
    <${Card} class="promise ${broken(promise) ? "broken" : ""}">
      <header>
        <h2>${promise.name.replaceAll("_", " ")}</h2>
        ${broken(promise) && html`<${Badge} tone="bad">not held by this process<//>`}
      </header>
      <p>${promise.text}</p>
      ${promise.counters.length > 0 && html`<ul class="counters">${promise.counters.map((each) => html`<${Counter} key=${each.metric} counter=${each} />`)}</ul>`}
      <p class="proof quiet">proved by <code>${promise.proof}</code></p>
    <//>`;
}

export function Promises() {
  const { data, problem, reload } = useLoaded("/admin/promises", EVERY_MS);
  const counted = data?.promises.filter(({ counters }) => counters.length) ?? [];
  const others = data?.promises.filter(({ counters }) => !counters.length) ?? [];
  return html`
    <div class="promises">
      <${Failure} problem=${problem} retry=${reload} />
      ${data && html`
        <p class="quiet lead-in">What <code>docs/security.md</code> promises. Where this process counts something of it, the figure stands beside it; the rest is tried by <code>make prove</code> alone.</p>
        <div class="grid">${[...counted, ...others].map((each) => html`<${Promised} key=${each.name} promise=${each} />`)}</div>`}
    </div>`;
}
