// The views, in the order in which the page lists them. `path` is what stands behind `#/`.
import { Flow } from "./views/flow.js";
import { Limits } from "./views/limits.js";
import { Live } from "./views/live.js";
import { Playground } from "./views/playground.js";
import { Plots } from "./views/plots.js";
import { Promises } from "./views/promises.js";
import { Providers } from "./views/providers.js";
import { Rules } from "./views/rules.js";
import { Taxonomy } from "./views/taxonomy.js";

export const VIEWS = [
  { path: "live", name: "Requests", group: "See", View: Live },
  { path: "flow", name: "Flow", group: "See", View: Flow },
  { path: "plots", name: "Plots", group: "See", View: Plots },
  { path: "playground", name: "Playground", group: "Try", View: Playground },
  { path: "rules", name: "Rules", group: "Run", View: Rules },
  { path: "taxonomy", name: "Taxonomy", group: "Run", View: Taxonomy },
  { path: "providers", name: "Providers", group: "Run", View: Providers },
  { path: "limits", name: "Limits", group: "Run", View: Limits },
  { path: "promises", name: "Promises", group: "Run", View: Promises },
];
