// What changed from one decision to the next, in the order in which a reader asks. Pure.
import { count, money } from "../format.js";

const target = ({ provider, model, refusal }) => (refusal ? `refused (${refusal.status})` : `${provider},${model}`);
const behind = ({ candidates }) => candidates.slice(1).map((candidate) => candidate.target).join(" › ") || "nobody";
const price = ({ candidates }) => money(candidates[0]?.expected?.micro_usd);

const ASPECTS = [
  ["target", ({ decision }) => target(decision)],
  ["phase", ({ decision }) => decision.phase],
  ["reason", ({ decision }) => decision.reason],
  ["scenarios", ({ decision }) => decision.scenarios.join(", ") || "none"],
  ["behind it", ({ decision }) => behind(decision)],
  ["tokens", ({ features }) => count(features.token_count)],
  ["expected cost", ({ decision }) => price(decision)],
  ["snapshot", ({ decision }) => decision.snapshot.slice(0, 12)],
];

/** [{what, before, now}] of two explanations; what is the same is left out. */
export function differences(before, now) {
  return ASPECTS.map(([what, said]) => ({ what, before: said(before), now: said(now) })).filter(
    (aspect) => aspect.before !== aspect.now,
  );
}

/** Whether two explanations route alike: what a reader calls the same decision. */
export const alike = (one, other) =>
  target(one.decision) === target(other.decision) && one.decision.reason === other.decision.reason;
