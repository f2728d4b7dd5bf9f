// What happened over time: requests, latency, tokens, cost.
import { html } from "../dom.js";
import { brief, count, duration, money } from "../format.js";
import { Plot } from "../plot.js";
import { go } from "../router.js";
import { Card, Choice, Empty, Failure, useLoaded } from "../ui.js";

const EVERY_MS = 10000;

const sum = (values) => values.reduce((all, value) => all + (value ?? 0), 0);
const last = (values) => values.findLast((value) => value !== null) ?? null;
const perSecond = (values, stepMs) => values.map((value) => (value === null ? null : value / (stepMs / 1000)));

/** The four pictures: heading, what stands beside it, lines, and words for values. */
function pictures(data) {
  const rate = (values) => perSecond(values, data.step_ms);
  return [
    { title: "Requests a second", aside: `${count(sum(data.requests))} in all, ${count(sum(data.errors))} failed`, format: brief, series: [
      { label: "requests", colour: "accent", values: rate(data.requests), filled: true }, { label: "failed", colour: "bad", values: rate(data.errors) }] },
    { title: "Latency", aside: `last: median ${duration(last(data.ms_p50))}, 95th percentile ${duration(last(data.ms_p95))}`, format: duration, series: [
      { label: "95th percentile", colour: "warn", values: data.ms_p95 }, { label: "median", colour: "accent", values: data.ms_p50, filled: true },
      { label: "first content, median", colour: "custom", values: data.first_ms_p50 }] },
    { title: "Tokens a second", aside: `${brief(sum(data.tokens_in))} in, ${brief(sum(data.tokens_out))} out`, format: brief, series: [
      { label: "in", colour: "info", values: rate(data.tokens_in), filled: true }, { label: "out", colour: "pattern", values: rate(data.tokens_out) }] },
    { title: "Cost", aside: `${money(sum(data.cost_micro_usd))} in all`, format: money, series: [
      { label: `in ${duration(data.step_ms)}`, colour: "accent", values: data.cost_micro_usd, filled: true }] },
  ];
}

export function Plots({ params }) {
  const minutes = ["5", "15", "60"].includes(params.minutes) ? params.minutes : "60";
  const { data, problem, reload } = useLoaded(`/admin/series?minutes=${minutes}`, EVERY_MS);
  return html`
    <div class="toolbar">
      <${Choice} label="Time" value=${minutes} onChange=${(value) => go("plots", "", { minutes: value }, { quietly: true })} options=${[["5", "5 min"], ["15", "15 min"], ["60", "1 hour"]]} />
    </div>
    <${Failure} problem=${problem} retry=${reload} />
    ${data && !data.t.length && html`<${Empty} title="Nothing has been measured yet." />`}
    ${data?.t.length > 0 && html`
      <div class="plots">${pictures(data).map((each) => html`
        <${Card} key=${each.title} title=${each.title} aside=${each.aside}>
          <${Plot} t=${data.t} series=${each.series} format=${each.format} sync="plots" label=${`${each.title}: ${each.aside}`} />
        <//>`)}
      </div>`}`;
}
