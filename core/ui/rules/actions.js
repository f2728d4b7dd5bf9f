// What can be done to a rule, and what will come of it, in words. Pure.

/** "canary 5%", "shadow", "enforce": how far a rule is; `share` is in per cent of the sessions. */
export function stageOf({ mode, share, rollout }) {
  if (rollout?.stage) return rollout.stage;
  if (mode === "canary") return `canary ${share}%`;
  return mode;
}

const MOVED = "It stays so after a restart, for this module: a changed one begins again where the configuration says.";
const SWITCHED = "It stays so after a restart, whatever module is put there.";

const EFFECTS = { on: "it decides for everybody", enforce: "it decides for everybody", shadow: "it is asked, and decides nothing", off: "it is not asked" };

/** What a stage means for traffic. */
export const effectOf = (stage) =>
  EFFECTS[stage] ?? `it decides for ${stage.replace(/^canary /, "")} of the sessions, and is in shadow for the rest`;

const ACTIONS = [
  {
    verb: "promote", place: "ahead", label: "Promote", lasting: MOVED,
    fits: (rule) => rule.enabled && rule.rollout.next !== null,
    effect: (rule) => `It goes from ${stageOf(rule)} to ${rule.rollout.next}: ${effectOf(rule.rollout.next)}.`,
  },
  {
    verb: "rollback", place: "back", label: "Roll back", lasting: MOVED,
    fits: (rule) => rule.enabled && stageOf(rule) !== "shadow",
    effect: (rule) => `It goes from ${stageOf(rule)} back to shadow: it is still asked and counted, and decides nothing.`,
  },
  {
    verb: "disable", place: "switch", label: "Disable", lasting: SWITCHED,
    fits: (rule) => rule.enabled,
    effect: () => "It is not asked any more, from the next request on. Requests under way keep what they began with.",
  },
  {
    verb: "enable", place: "switch", label: "Enable", lasting: SWITCHED,
    fits: (rule) => !rule.enabled,
    effect: () => "It is asked again from the next request on, at the stage where it was before.",
  },
];

/** [{verb, place, label, lasting, effect(rule)}] that make sense for a rule as it is. */
export const actionsOf = (rule) => ACTIONS.filter(({ fits }) => fits(rule));
