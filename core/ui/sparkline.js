// A row of numbers as a small picture. The numbers are said in words beside it.
import { html } from "./dom.js";

const WIDTH = 120;
const HEIGHT = 24;

/** A point of the line for each number; `most` is the height of the picture. Pure. */
export function path(numbers, most) {
  const step = WIDTH / Math.max(1, numbers.length - 1);
  const y = (number) => (HEIGHT - 1 - ((HEIGHT - 2) * number) / Math.max(1, most)).toFixed(1);
  return numbers.map((number, at) => `${at ? "L" : "M"}${(at * step).toFixed(1)} ${y(number)}`).join("");
}

/** Sums of `every` numbers each: fewer points than pixels. Pure. */
export const binned = (numbers, every) =>
  Array.from({ length: Math.ceil(numbers.length / every) }, (_, at) =>
    numbers.slice(at * every, (at + 1) * every).reduce((sum, number) => sum + number, 0));

export function Sparkline({ numbers, label }) {
  const shown = binned(numbers, Math.ceil(numbers.length / 60) || 1);
  const most = Math.max(...shown, 0);
  if (!most) return html`<span class="sparkline none" aria-hidden="true"></span>`;
  const line = path(shown, most);
  return html`
    <svg class="sparkline" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label=${label}>
      <path class="area" d=${`${line}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z`} />
      <path class="line" d=${line} vector-effect="non-scaling-stroke" />
    </svg>`;
}
