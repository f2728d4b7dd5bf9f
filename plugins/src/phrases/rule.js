// Regular expressions over the user's last text choose the target. See README.md.
/// <reference path="./types.d.ts" />

/** @param {View} view */
function decide(view) {
  const text = view.request?.last_user;
  if (typeof text !== "string" || !Array.isArray(view.config?.phrases)) return null;
  for (const { pattern, flags, target } of view.config.phrases.map(Object)) {
    if (typeof pattern !== "string" || typeof target !== "string") continue;
    if (new RegExp(pattern, flags ?? "iu").test(text)) return { route: target, reason: "phrase" };
  }
  return null;
}
