// What may come of asking a rule, and how it is coloured. Pure.

/** In the order in which they are shown: what a rule may say, then its faults. */
export const CODES = ["route", "abstain", "deny", "skipped", "error", "refused", "trap", "fuel", "timeout", "crash"];
const TONES = { route: "good", abstain: "", deny: "warn", skipped: "warn" };

/** A badge's tone for an outcome's code. */
export const toneOf = (code) => TONES[code] ?? "bad";
