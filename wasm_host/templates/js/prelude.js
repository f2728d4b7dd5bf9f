// Runs before rule.js, inside the engine: what a fresh call needs, so that equal requests have equal answers.
"use strict";
{
  // Math.random continues from the request's seed (mulberry32).
  let state = 0;
  Math.random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const { parse, stringify } = JSON;
  globalThis.__route = (text) => {
    const view = parse(text);
    if (view === null || typeof view !== "object") return "";
    state = Number(view.seed) | 0;
    const answer = decide(view);
    return answer === undefined || answer === null ? "" : stringify(answer);
  };
}
