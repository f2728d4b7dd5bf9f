// The views, in the order in which the page lists them. `path` is what stands behind `#/`.
import { Live } from "./views/live.js";

export const VIEWS = [
  { path: "live", name: "Requests", group: "See", View: Live },
];
