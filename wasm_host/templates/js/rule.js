// Long requests, and those with one of the configured words in the user's last text, go to the configured target.
/// <reference path="./types.d.ts" />

/** @param {View} view */
function decide(view) {
  const { target, threshold, words } = Object(view.config);
  if (typeof target !== "string") return null;

  if (int(view.request?.token_count, 0) > int(threshold, Infinity)) return { route: target, reason: "long" };
  const text = lower(view.request?.last_user);
  const found = Array.isArray(words) && words.map(lower).some((word) => word !== "" && text.includes(word));
  return found ? { route: target, reason: "word" } : null;
}

/** An integer below 2^53, or `otherwise`. */
function int(value, otherwise) {
  return Number.isSafeInteger(value) ? value : otherwise;
}

/** A text with A to Z as a to z (toLowerCase would also turn other letters into these). */
function lower(text) {
  return typeof text === "string" ? text.toWellFormed().replace(/[A-Z]/g, (letter) => letter.toLowerCase()) : "";
}
