// uPlot as a part: a line for each series over time, in the theme's colours, as wide as there is room.
import { html, useEffect, useLayoutEffect, useRef, useState } from "./dom.js";
import { colour } from "./ui.js";
import UPlot from "./vendor/uplot.js";

/** A new number whenever the colours change: the reader's choice, or the system's. */
function useTheme() {
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const look = () => setTurn((before) => before + 1);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", look);
    addEventListener("themechange", look);
    return () => { dark.removeEventListener("change", look); removeEventListener("themechange", look); };
  }, []);
  return turn;
}

function options(box, { series, format, height, sync }) {
  const quiet = colour("quiet");
  const line = { stroke: colour("line"), width: 1 };
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: quiet, font, grid: line, ticks: { show: false } };
  return {
    width: box.clientWidth, height, padding: [10, 6, 0, 0], legend: { live: true, markers: { fill: (_, at) => colour(series[at - 1]?.colour ?? "quiet") } },
    cursor: { sync: sync ? { key: sync } : undefined, drag: { x: false, y: false }, points: { size: 6 } },
    axes: [{ ...axis, grid: { show: false }, size: 26, space: 70, values: "{HH}:{mm}" }, { ...axis, size: 54, space: 34, values: (_, ticks) => ticks.map(format) }],
    scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.08 : 1] } },
    series: [{ value: "{HH}:{mm}:{ss}" }, ...series.map((each) => ({
      label: each.label, stroke: colour(each.colour), width: 1.5, spanGaps: false, points: { show: false },
      fill: each.filled ? `color-mix(in oklab, ${colour(each.colour)} 14%, transparent)` : undefined,
      value: (_, value) => (value === null || value === undefined ? "–" : format(value)),
    }))],
  };
}

/** `t`: Unix ms. `series`: [{label, colour, values, filled}]. `format` makes words of a value. `label` is read out instead. */
export function Plot({ t, series, format, height = 170, sync = "", label }) {
  const box = useRef(null);
  const plot = useRef(null);
  const theme = useTheme();
  const data = [t.map((ms) => ms / 1000), ...series.map((each) => each.values)];
  useLayoutEffect(() => {
    plot.current = new UPlot(options(box.current, { series, format, height, sync }), data, box.current);
    const sizes = new ResizeObserver(() => plot.current.setSize({ width: box.current.clientWidth, height }));
    sizes.observe(box.current);
    return () => { sizes.disconnect(); plot.current.destroy(); };
  }, [theme, height, sync, series.map((each) => each.label).join()]);
  useLayoutEffect(() => { plot.current.setData(data); }, [t, ...series.map((each) => each.values)]);
  return html`<div class="plot" ref=${box} role="img" aria-label=${label}></div>`;
}
