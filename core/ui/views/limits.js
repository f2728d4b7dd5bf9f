// What clients may still use: rate limits, and budgets in money.
import { html } from "../dom.js";
import { count, duration, money, moment } from "../format.js";
import { Badge, Card, Empty, Failure, Meter, Table, useLoaded } from "../ui.js";

const EVERY_MS = 2000;

const used = ({ of, left }) => (of > 0 ? (of - left) / of : 1);
const whose = ({ scope, name }) => html`<span><span class="quiet">${scope}</span> <b>${name || "everybody"}</b></span>`;

const LIMITS = [
  { key: "whose", label: "Whose", render: whose },
  { key: "limit", label: "Limit", render: ({ limit, per, of, setting }) => html`<span title=${setting}>${count(of)} ${per === "at once" ? "requests at once" : `${limit} a ${per}`}</span>` },
  { key: "bar", label: "Used", render: (row) => html`<${Meter} share=${used(row)} label=${`${row.name} ${row.limit}: used`} />` },
  { key: "left", label: "Left", num: true, render: ({ left }) => count(left) },
  { key: "reset", label: "Whole in", num: true, render: ({ reset_ms: ms }) => (ms > 0 ? duration(ms) : html`<span class="quiet">now</span>`) },
];

/** "2026-11-23" is a day's budget, "2026-11" a month's. */
const spell = (period) => ({ 10: "day", 7: "month" })[period.length] ?? period;

const taken = ({ spent_micro_usd: spent, reserved_micro_usd: reserved }) => spent + reserved;
const bought = (row) => (row.limit_micro_usd > 0 ? taken(row) / row.limit_micro_usd : 1);

const BUDGETS = [
  { key: "whose", label: "Whose", render: whose },
  { key: "period", label: "Budget", render: ({ limit_micro_usd: most, period, soft, setting }) => html`<span title=${setting}>${money(most)} a ${spell(period)}${soft && html` <${Badge} title="Nobody is refused; rules see what is left">soft<//>`}</span>` },
  { key: "bar", label: "Used", render: (row) => html`<${Meter} share=${bought(row)} label=${`${row.name} ${row.period}: spent`} />` },
  { key: "spent", label: "Spent", num: true, render: ({ spent_micro_usd: spent }) => money(spent) },
  { key: "reserved", label: "Reserved", num: true, render: ({ reserved_micro_usd: reserved }) => money(reserved) },
  { key: "resets", label: "Until", num: true, render: ({ resets_ms: ms }) => moment(ms).slice(0, 16) },
  { key: "left", label: "Left", num: true, render: (row) => money(Math.max(0, row.limit_micro_usd - taken(row))) },
];

const rowKey = ({ scope, name, limit, period, per }) => [scope, name, limit ?? period, per].join(" ");

export function Limits() {
  const { data, problem, reload } = useLoaded("/admin/limits", EVERY_MS);
  return html`
    <div class="limits">
      <${Failure} problem=${problem} retry=${reload} />
      ${data && html`
        <${Card} title="Budgets" aside=${data.unpriced > 0 && html`<span>${count(data.unpriced)} requests had no known price</span>`}>
          ${data.budgets.length
            ? html`<${Table} caption="Budgets" columns=${BUDGETS} rows=${data.budgets} rowKey=${rowKey} />`
            : html`<${Empty} title="Nobody has a budget">Set <code>[budget]</code>, or one of a client's key.<//>`}
        <//>
        <${Card} title="Limits">
          ${data.limits.length
            ? html`<${Table} caption="Limits" columns=${LIMITS} rows=${data.limits} rowKey=${rowKey} />`
            : html`<${Empty} title="Nobody is limited">Set <code>[limits]</code>, or those of a client's key.<//>`}
        <//>`}
    </div>`;
}
