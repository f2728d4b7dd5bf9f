// A small, strict JSON reader. `parse` checks a whole text; after that, everything else only finds.
//
// A value is a range of addresses, and nothing is allocated. Strings are compared by the characters that they mean, escapes
// decoded; of members with one name the last counts; an integer is one that is written without fraction and exponent and
// that every language can hold (below 2^53).

const DEPTH_MAX: i32 = 128;
const INT_MAX: i64 = 9007199254740991;
const END: u32 = 0xffffffff;

const QUOTE: u8 = 0x22, BACKSLASH: u8 = 0x5c, COMMA: u8 = 0x2c, COLON: u8 = 0x3a, MINUS: u8 = 0x2d, ZERO: u8 = 0x30;
const OPEN_BRACE: u8 = 0x7b, CLOSE_BRACE: u8 = 0x7d, OPEN_BRACKET: u8 = 0x5b, CLOSE_BRACKET: u8 = 0x5d;
const LETTER_B: u8 = 0x62, LETTER_F: u8 = 0x66, LETTER_N: u8 = 0x6e, LETTER_R: u8 = 0x72, LETTER_T: u8 = 0x74;
const LETTER_U: u8 = 0x75;

// A value packed into one number, end << 32 | start; NONE is no value.
export type Json = u64;
export const NONE: Json = 0;

export function start(value: Json): usize {
  return (value & 0xffffffff) as usize;
}

export function end(value: Json): usize {
  return (value >> 32) as usize;
}

function pack(start: usize, end: usize): Json {
  return ((end as u64) << 32) | (start as u64);
}

// The value that a text is; NONE if it is not JSON from its first to its last byte, or nested too deep.
export function parse(text: usize, length: usize): Json {
  const last = text + length;
  const begin = skipSpace(text, last);
  const after = valueEnd(begin, last, 0);
  return after != 0 && skipSpace(after, last) == last ? pack(begin, after) : NONE;
}

function begins(value: Json, char: u8): bool {
  return value != NONE && load<u8>(start(value)) == char;
}

export function isString(value: Json): bool {
  return begins(value, QUOTE);
}

export function isTrue(value: Json): bool {
  return begins(value, LETTER_T);
}

// The integer that `value` is, or `otherwise`.
export function int(value: Json, otherwise: i64): i64 {
  if (value == NONE) return otherwise;
  const negative = begins(value, MINUS);
  let number: i64 = 0;
  for (let at = start(value) + (negative ? 1 : 0); at < end(value); at++) {
    if (!isDigit(load<u8>(at))) return otherwise;
    number = number * 10 + ((load<u8>(at) - ZERO) as i64);
    if (number > INT_MAX) return otherwise;
  }
  return negative ? -number : number;
}

// The last member called `name` (ASCII) of an object.
export function get(object: Json, name: string): Json {
  let found = NONE;
  for (let key = firstKey(object); key != NONE; key = nextKey(object, key)) {
    if (isCalled(key, name)) found = valueOf(object, key);
  }
  return found;
}

// The last member of an object whose name is the string `name`.
export function getBy(object: Json, name: Json): Json {
  let found = NONE;
  for (let key = firstKey(object); key != NONE; key = nextKey(object, key)) {
    if (equals(key, name)) found = valueOf(object, key);
  }
  return found;
}

// The first item of an array, and the one after an item; NONE at the end.
// for (let item = first(array); item != NONE; item = next(array, item))
export function first(array: Json): Json {
  return begins(array, OPEN_BRACKET) ? itemAt(array, start(array) + 1) : NONE;
}

export function next(array: Json, item: Json): Json {
  const at = skipSpace(end(item), end(array));
  return load<u8>(at) == COMMA ? itemAt(array, at + 1) : NONE;
}

function itemAt(array: Json, after: usize): Json {
  const at = skipSpace(after, end(array));
  return load<u8>(at) == CLOSE_BRACKET ? NONE : pack(at, valueEnd(at, end(array), 0));
}

function firstKey(object: Json): Json {
  return begins(object, OPEN_BRACE) ? keyAt(object, start(object) + 1) : NONE;
}

function nextKey(object: Json, key: Json): Json {
  const at = skipSpace(end(valueOf(object, key)), end(object));
  return load<u8>(at) == COMMA ? keyAt(object, at + 1) : NONE;
}

function keyAt(object: Json, after: usize): Json {
  const at = skipSpace(after, end(object));
  return load<u8>(at) == CLOSE_BRACE ? NONE : pack(at, stringEnd(at, end(object)));
}

function valueOf(object: Json, key: Json): Json {
  const last = end(object);
  const at = skipSpace(skipSpace(end(key), last) + 1, last);
  return pack(at, valueEnd(at, last, 0));
}

// Whether both are strings of the same characters.
export function equals(one: Json, other: Json): bool {
  if (!isString(one) || !isString(other)) return false;
  let a = start(one) + 1, b = start(other) + 1, char: u32 = 0;
  do {
    char = charAt(a, end(one) - 1);
    a = charEnd;
    if (char != charAt(b, end(other) - 1)) return false;
    b = charEnd;
  } while (char != END);
  return true;
}

function isCalled(key: Json, name: string): bool {
  let at = start(key) + 1;
  for (let index = 0; index < name.length; index++) {
    if (charAt(at, end(key) - 1) != (name.charCodeAt(index) as u32)) return false;
    at = charEnd;
  }
  return charAt(at, end(key) - 1) == END;
}

// Whether a string holds another one that is not empty, A to Z being the same as a to z.
export function contains(text: Json, word: Json): bool {
  if (!isString(text) || !isString(word) || end(word) - start(word) == 2) return false;
  let at = start(text) + 1;
  const last = end(text) - 1;
  while (at < last) {
    if (beginsWith(at, last, word)) return true;
    charAt(at, last);
    at = charEnd;
  }
  return false;
}

function beginsWith(at: usize, last: usize, word: Json): bool {
  let sought = start(word) + 1, char = charAt(sought, end(word) - 1);
  while (char != END) {
    sought = charEnd;
    if (lower(char) != lower(charAt(at, last))) return false;
    at = charEnd;
    char = charAt(sought, end(word) - 1);
  }
  return true;
}

function lower(char: u32): u32 {
  return char >= 0x41 && char <= 0x5a ? char + 32 : char;
}

// Where the character ends that `charAt` returned last.
let charEnd: usize = 0;

// The character at `at` inside a string that ends before `last`, as its Unicode number; END after the last one.
function charAt(at: usize, last: usize): u32 {
  charEnd = at;
  if (at >= last) return END;
  const byte: u32 = take();
  if (byte == BACKSLASH) return escape(last);
  if (byte < 0x80) return byte;
  let number: u32 = byte & (byte < 0xe0 ? 0x1f : byte < 0xf0 ? 0x0f : 0x07);
  while (charEnd < last && (load<u8>(charEnd) & 0xc0) == 0x80) number = (number << 6) | (take() & 0x3f);
  return number;
}

function take(): u32 {
  return load<u8>(charEnd++);
}

// The character of the escape after a backslash; half a surrogate pair is U+FFFD.
function escape(last: usize): u32 {
  const char = take();
  if (char == LETTER_B) return 0x08;
  if (char == LETTER_F) return 0x0c;
  if (char == LETTER_N) return 0x0a;
  if (char == LETTER_R) return 0x0d;
  if (char == LETTER_T) return 0x09;
  if (char != LETTER_U) return char;
  const one = hex4();
  if (one < 0xd800 || one > 0xdfff) return one;
  if (one > 0xdbff || last - charEnd < 6 || load<u8>(charEnd) != BACKSLASH || load<u8>(charEnd + 1) != LETTER_U) {
    return 0xfffd;
  }
  const before = charEnd;
  charEnd += 2;
  const two = hex4();
  if (two < 0xdc00 || two > 0xdfff) {
    charEnd = before;
    return 0xfffd;
  }
  return 0x10000 + ((one - 0xd800) << 10) + (two - 0xdc00);
}

function hex4(): u32 {
  let number: u32 = 0;
  for (let digit = 0; digit < 4; digit++) number = (number << 4) | (hex(take() as u8) as u32);
  return number;
}

function hex(char: u8): i32 {
  if (isDigit(char)) return char - ZERO;
  const small = char | 0x20;
  return small >= 0x61 && small <= 0x66 ? small - 0x61 + 10 : -1;
}

function isDigit(char: u8): bool {
  return char >= ZERO && char <= 0x39;
}

// The grammar (RFC 8259): each returns the address after what begins at `at`, or 0 if it is broken.

function skipSpace(at: usize, last: usize): usize {
  while (at < last) {
    const char = load<u8>(at);
    if (char != 0x20 && char != 0x09 && char != 0x0a && char != 0x0d) break;
    at++;
  }
  return at;
}

function valueEnd(at: usize, last: usize, depth: i32): usize {
  if (at >= last || depth > DEPTH_MAX) return 0;
  const char = load<u8>(at);
  if (char == OPEN_BRACE || char == OPEN_BRACKET) return insideEnd(at, last, depth);
  if (char == QUOTE) return stringEnd(at, last);
  if (char == LETTER_T) return wordEnd(at, last, "true");
  if (char == LETTER_F) return wordEnd(at, last, "false");
  if (char == LETTER_N) return wordEnd(at, last, "null");
  return numberEnd(at, last);
}

// Passes over the members of an object or the items of an array.
function insideEnd(at: usize, last: usize, depth: i32): usize {
  const close = load<u8>(at) == OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET;
  at = skipSpace(at + 1, last);
  if (at < last && load<u8>(at) == close) return at + 1;
  while (at < last) {
    if (close == CLOSE_BRACE) {
      if (load<u8>(at) != QUOTE) return 0;
      at = stringEnd(at, last);
      if (at == 0) return 0;
      at = skipSpace(at, last);
      if (at >= last || load<u8>(at) != COLON) return 0;
      at = skipSpace(at + 1, last);
    }
    at = valueEnd(at, last, depth + 1);
    if (at == 0) return 0;
    at = skipSpace(at, last);
    if (at < last && load<u8>(at) == close) return at + 1;
    if (at >= last || load<u8>(at) != COMMA) return 0;
    at = skipSpace(at + 1, last);
  }
  return 0;
}

function stringEnd(at: usize, last: usize): usize {
  for (at++; at < last; at++) {
    const char = load<u8>(at);
    if (char == QUOTE) return at + 1;
    if (char < 0x20) return 0;
    if (char == BACKSLASH) {
      at = escapeEnd(at + 1, last);
      if (at == 0) return 0;
    }
  }
  return 0;
}

// The address of the last byte of the escape whose letter is at `at`.
function escapeEnd(at: usize, last: usize): usize {
  if (at >= last) return 0;
  const char = load<u8>(at);
  if (char == LETTER_U) {
    for (let digit = 0; digit < 4; digit++) {
      at++;
      if (at >= last || hex(load<u8>(at)) < 0) return 0;
    }
    return at;
  }
  const known = char == QUOTE || char == BACKSLASH || char == 0x2f || char == LETTER_B || char == LETTER_F
    || char == LETTER_N || char == LETTER_R || char == LETTER_T;
  return known ? at : 0;
}

function wordEnd(at: usize, last: usize, word: string): usize {
  for (let index = 0; index < word.length; index++, at++) {
    if (at >= last || (load<u8>(at) as i32) != word.charCodeAt(index)) return 0;
  }
  return at;
}

function numberEnd(at: usize, last: usize): usize {
  if (load<u8>(at) == MINUS) at++;
  at = at < last && load<u8>(at) == ZERO ? at + 1 : digitsEnd(at, last);
  if (at == 0) return 0;
  if (at < last && load<u8>(at) == 0x2e) {
    at = digitsEnd(at + 1, last);
    if (at == 0) return 0;
  }
  if (at < last && (load<u8>(at) | 0x20) == 0x65) {
    at++;
    if (at < last && (load<u8>(at) == 0x2b || load<u8>(at) == MINUS)) at++;
    return digitsEnd(at, last);
  }
  return at;
}

function digitsEnd(begin: usize, last: usize): usize {
  let at = begin;
  while (at < last && isDigit(load<u8>(at))) at++;
  return at > begin ? at : 0;
}
