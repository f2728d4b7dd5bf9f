// JSON that somebody is still writing: its value, or what is wrong first, and where. Pure.
//
// The browser parses. It names no place for most faults, and each browser has words of its own: so a text that it
// refuses is read once more here, for the first character that cannot stand where it stands (RFC 8259).

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const STRING = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y;
const WORD = /true|false|null/y;

class Wrong extends Error {
  constructor(message, at) {
    super(message);
    this.at = at;
  }
}

/** Where `pattern` ends if it matches at `at`, else -1. */
function end(pattern, text, at) {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : -1;
}

const past = (text, at) => end(SPACE, text, at);

function string(text, at, what) {
  if (text[at] !== '"') throw new Wrong(`${what} is missing`, at);
  const to = end(STRING, text, at);
  if (to >= 0) return to;
  throw new Wrong("this string is not closed on its line, or holds a backslash that JSON does not know", at);
}

/** Past one value and the space behind it. */
function value(text, from) {
  const at = past(text, from);
  const opening = text[at];
  if (opening === "{" || opening === "[") return past(text, list(text, at, opening === "{"));
  if (opening === '"') return past(text, string(text, at));
  const to = Math.max(end(NUMBER, text, at), end(WORD, text, at));
  if (to < 0) throw new Wrong(at < text.length ? "this is no value" : "the text ends too early: a value is missing", at);
  return past(text, to);
}

/** Past an object or an array that begins at `from`. */
function list(text, from, keyed) {
  const close = keyed ? "}" : "]";
  let at = past(text, from + 1);
  if (text[at] === close) return at + 1;
  for (;;) {
    if (text[at] === close) throw new Wrong(`a comma too many before ${close}`, at);
    if (keyed) at = colon(text, string(text, at, "a name in quotes"));
    at = value(text, at);
    if (text[at] === close) return at + 1;
    if (text[at] !== ",") throw new Wrong(at < text.length ? `a comma or ${close} is missing before this` : `the text ends too early: ${close} is missing`, at);
    at = past(text, at + 1);
  }
}

function colon(text, from) {
  const at = past(text, from);
  if (text[at] !== ":") throw new Wrong("a colon is missing before this", at);
  return at + 1;
}

/** The first fault of a text that is no JSON: {message, at}; `at` null where none was found (too deep to be read). */
function fault(text) {
  try {
    const at = value(text, 0);
    return at < text.length ? { message: "the request is over before this", at } : { message: "this is no JSON", at: null };
  } catch (problem) {
    return problem instanceof Wrong ? { message: problem.message, at: problem.at } : { message: "this is nested too deeply", at: null };
  }
}

/** {value, problem}: `problem` is null or {message, line, column}; line and column, from 1, are null if unknown. */
export function parsed(text) {
  let found;
  try {
    found = JSON.parse(text);
  } catch {
    const { message, at } = fault(text);
    return { value: null, problem: { message, ...(at === null ? { line: null, column: null } : lineOf(text, at)) } };
  }
  if (found === null || typeof found !== "object" || Array.isArray(found)) {
    return { value: null, problem: { message: "a request is an object: { … }", line: 1, column: 1 } };
  }
  return { value: found, problem: null };
}

/** Line and column, from 1, of a position in UTF-16 units. */
export function lineOf(text, position) {
  const before = text.slice(0, position);
  return { line: before.split("\n").length, column: position - before.lastIndexOf("\n") };
}
