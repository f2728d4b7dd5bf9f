// The views, in the order in which the page lists them. `path` is what stands behind `#/`.
import { Flow } from "./views/flow.js";
import { Live } from "./views/live.js";
import { Plots } from "./views/plots.js";

export const VIEWS = [
  { path: "live", name: "Requests", group: "See", View: Live },
  { path: "flow", name: "Flow", group: "See", View: Flow },
  { path: "plots", name: "Plots", group: "See", View: Plots },
];
