// Short names for targets: a request for the model `fast` goes where the configuration says. See README.md.
import { Range, anyHas, end, get, isString, range, start } from "./json";

// One instance serves one request: both buffers can be static.
const REQUEST_MAX: usize = 16 * 1024, ANSWER_MAX: usize = 1024;
const REQUEST = memory.data(16 * 1024), ANSWER = memory.data(1024);

// Constants as bytes: AssemblyScript's own strings are UTF-16. Keys carry their quotes.
const CONFIG = memory.data<u8>([0x22, 0x63, 0x6f, 0x6e, 0x66, 0x69, 0x67, 0x22]); // "config"
const ALIASES = memory.data<u8>([0x22, 0x61, 0x6c, 0x69, 0x61, 0x73, 0x65, 0x73, 0x22]); // "aliases"
const REQUEST_KEY = memory.data<u8>([0x22, 0x72, 0x65, 0x71, 0x75, 0x65, 0x73, 0x74, 0x22]); // "request"
const MODEL = memory.data<u8>([0x22, 0x6d, 0x6f, 0x64, 0x65, 0x6c, 0x22]); // "model"
const TARGETS = memory.data<u8>([0x22, 0x74, 0x61, 0x72, 0x67, 0x65, 0x74, 0x73, 0x22]); // "targets"
const NAME = memory.data<u8>([0x22, 0x6e, 0x61, 0x6d, 0x65, 0x22]); // "name"

let written: usize = 0;

function write(char: u8): void {
  store<u8>(ANSWER + written++, char);
}

function writeText(text: string): void {
  for (let at = 0; at < text.length; at++) write(text.charCodeAt(at) as u8);
}

function answer(): u64 {
  return ((ANSWER as u64) << 32) | (written as u64);
}

function route(target: Range): u64 {
  if (end(target) - start(target) > ANSWER_MAX - 64) return 0;
  writeText('{"route":');
  for (let at = start(target); at < end(target); at++) write(load<u8>(at));
  writeText(',"reason":"alias"}');
  return answer();
}

export function rule_v1_alloc(length: usize): usize {
  return length <= REQUEST_MAX ? REQUEST : 0;
}

export function rule_v1_route(text: usize, length: usize): u64 {
  const view = range(text, text + length);
  const aliases = get(get(view, range(CONFIG, CONFIG + 8)), range(ALIASES, ALIASES + 9));
  const model = get(get(view, range(REQUEST_KEY, REQUEST_KEY + 9)), range(MODEL, MODEL + 7));
  if (aliases == 0 || !isString(model)) return 0;
  const target = get(aliases, model);
  if (!isString(target)) return 0;
  if (!anyHas(get(view, range(TARGETS, TARGETS + 9)), range(NAME, NAME + 6), target)) {
    writeText('{"error":{"code":"unknown_target","message":"an alias names a target that is not configured"}}');
    return answer();
  }
  return route(target);
}
