// A reader for one JSON text that is known to be valid: it finds, it does not check.
//
// A value is a range of addresses. Strings are compared and copied as they are written, escapes included: the host writes
// every string in one way, so equal strings are equal bytes. Nothing is allocated, and nothing recurses.

const QUOTE: u8 = 0x22, BACKSLASH: u8 = 0x5c, COMMA: u8 = 0x2c, COLON: u8 = 0x3a;
const OPEN_BRACE: u8 = 0x7b, CLOSE_BRACE: u8 = 0x7d, OPEN_BRACKET: u8 = 0x5b, CLOSE_BRACKET: u8 = 0x5d;

// A range packed into one number, end << 32 | start; 0 is no value.
export type Range = u64;

export function range(start: usize, end: usize): Range {
  return ((end as u64) << 32) | (start as u64);
}

export function start(value: Range): usize {
  return (value & 0xffffffff) as usize;
}

export function end(value: Range): usize {
  return (value >> 32) as usize;
}

function isSpace(char: u8): bool {
  return char == 0x20 || char == 0x09 || char == 0x0a || char == 0x0d;
}

function skipSpace(at: usize, end: usize): usize {
  while (at < end && isSpace(load<u8>(at))) at++;
  return at;
}

// The address after the string that begins at `at` (at its quote).
function stringEnd(at: usize, end: usize): usize {
  for (at++; at < end && load<u8>(at) != QUOTE; at++) {
    if (load<u8>(at) == BACKSLASH) at++;
  }
  return at < end ? at + 1 : end;
}

// The address after the value that begins at `at`.
function valueEnd(at: usize, end: usize): usize {
  let depth = 0;
  while (at < end) {
    const char = load<u8>(at);
    if (char == QUOTE) {
      at = stringEnd(at, end);
    } else if (char == OPEN_BRACE || char == OPEN_BRACKET) {
      depth++;
      at++;
    } else if (char == CLOSE_BRACE || char == CLOSE_BRACKET) {
      if (depth == 0) return at;
      depth--;
      at++;
    } else if (depth == 0 && (char == COMMA || isSpace(char))) {
      return at;
    } else {
      at++;
      continue; // inside a number or a word
    }
    if (depth == 0) return at;
  }
  return end;
}

export function isString(value: Range): bool {
  return value != 0 && load<u8>(start(value)) == QUOTE;
}

export function equal(one: Range, other: Range): bool {
  const length = end(one) - start(one);
  return length == end(other) - start(other) && memory.compare(start(one), start(other), length) == 0;
}

// The member of `object` whose name is the string `key` (both with their quotes); 0 if there is none.
export function get(object: Range, key: Range): Range {
  if (object == 0 || load<u8>(start(object)) != OPEN_BRACE) return 0;
  const last = end(object);
  let at = skipSpace(start(object) + 1, last);
  while (at < last && load<u8>(at) == QUOTE) {
    const name = range(at, stringEnd(at, last));
    at = skipSpace(end(name), last);
    if (at < last && load<u8>(at) == COLON) at = skipSpace(at + 1, last);
    const value = range(at, valueEnd(at, last));
    if (equal(name, key)) return value;
    at = skipSpace(end(value), last);
    if (at >= last || load<u8>(at) != COMMA) return 0;
    at = skipSpace(at + 1, last);
  }
  return 0;
}

// Whether some object in `array` has the string `value` under `key`.
export function anyHas(array: Range, key: Range, value: Range): bool {
  if (array == 0 || load<u8>(start(array)) != OPEN_BRACKET) return false;
  const last = end(array);
  let at = skipSpace(start(array) + 1, last);
  while (at < last && load<u8>(at) != CLOSE_BRACKET) {
    const item = range(at, valueEnd(at, last));
    const found = get(item, key);
    if (found != 0 && equal(found, value)) return true;
    at = skipSpace(end(item), last);
    if (at >= last || load<u8>(at) != COMMA) return false;
    at = skipSpace(at + 1, last);
  }
  return false;
}
