// What the proxy calls (the contract terraphim-rule/1), so that a rule is one function: `decide` in rule.ts. The compiler
// starts here.
//
// One instance serves one request, so both buffers are static.
import { Json, NONE, end, parse, start } from "./json";
import { ABSTAIN, ANSWER_MAX, Answer, REQUEST_MAX } from "./request";
import { decide } from "./rule";


const REQUEST = memory.data(REQUEST_MAX), ANSWER = memory.data(ANSWER_MAX);
let written: i32 = 0;

export function rule_v1_alloc(length: u32): usize {
  return length <= (REQUEST_MAX as u32) ? REQUEST : 0;
}

export function rule_v1_route(text: usize, length: u32): Answer {
  const view = parse(text, length);
  return view == NONE ? ABSTAIN : decide(view);
}

// Send the request to a target, a JSON string that names one. The reason matches [a-z0-9_.:-]+.
export function route(target: Json, reason: string): Answer {
  writeText('{"route":');
  for (let at = start(target); at < end(target); at++) write(load<u8>(at));
  writeText(',"reason":"');
  writeText(reason);
  writeText('"}');
  return answer();
}

// Say that the rule failed. The code matches [a-z0-9_.:-]+; the message is ASCII, without quotes.
export function failed(code: string, message: string): Answer {
  writeText('{"error":{"code":"');
  writeText(code);
  writeText('","message":"');
  writeText(message);
  writeText('"}}');
  return answer();
}

function write(char: u8): void {
  if (written < ANSWER_MAX) store<u8>(ANSWER + written, char);
  written++;
}

function writeText(text: string): void {
  for (let at = 0; at < text.length; at++) write(text.charCodeAt(at) as u8);
}

// Abstains if the answer is longer than it may be.
function answer(): Answer {
  return written > ANSWER_MAX ? ABSTAIN : ((ANSWER as u64) << 32) | (written as u64);
}
