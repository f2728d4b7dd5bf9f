// Where the request is written: examples, the JSON with its first fault, the dialect and the headers.
import { html, useRef } from "../dom.js";
import { Card, Choice } from "../ui.js";
import { EXAMPLES } from "./examples.js";

const DIALECTS = [["", "Guess"], ["anthropic", "Messages"], ["openai", "Chat"], ["openai-responses", "Responses"]];

/** Lines of `name: value` -> headers; a line without a colon is none. */
export function headersOf(text) {
  const lines = text.split("\n").map((line) => line.split(/:(.*)/s)).filter(([name, value]) => name.trim() && value !== undefined);
  return Object.fromEntries(lines.map(([name, value]) => [name.trim().toLowerCase(), value.trim()]));
}

/** Put the cursor of `box` at a line and column (from 1). */
function goTo(box, { line, column }) {
  const before = box.value.split("\n").slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
  const at = before + column - 1;
  box.focus();
  box.setSelectionRange(at, Math.min(at + 1, box.value.length));
}

function Fault({ problem, box }) {
  if (!problem) return html`<p class="fault quiet" id="request-fault">It is sent as you type; no provider is called, nothing is kept.</p>`;
  return html`
    <p class="fault tone-bad" id="request-fault" role="status">
      ${problem.line !== null && html`<button type="button" class="link-button" onClick=${() => goTo(box.current, problem)}>line ${problem.line}, column ${problem.column}</button> `}
      ${problem.message}
    </p>`;
}

export function Editor({ draft, problem, change, example }) {
  const box = useRef(null);
  const tidy = () => change({ text: JSON.stringify(JSON.parse(draft.text), null, 2) });
  return html`
    <${Card} title="Request" aside=${html`<button type="button" disabled=${problem !== null} onClick=${tidy}>Tidy</button>`} class="ask">
      <div class="examples" role="group" aria-label="Examples">${EXAMPLES.map((each) => html`
        <button key=${each.name} type="button" class="chip" onClick=${() => example(each)}>${each.name}</button>`)}
      </div>
      <label class="hidden" for="request">Request as JSON</label>
      <textarea id="request" ref=${box} class="code" rows="16" spellcheck=${false} autocomplete="off" autocapitalize="off"
        aria-describedby="request-fault" aria-invalid=${problem !== null} value=${draft.text} onInput=${(event) => change({ text: event.target.value })}></textarea>
      <${Fault} problem=${problem} box=${box} />
      <div class="asked-as"><span id="api-label">API</span><${Choice} label="API that the request is written for" options=${DIALECTS} value=${draft.dialect} onChange=${(dialect) => change({ dialect })} /></div>
      <details class="more">
        <summary>Headers</summary>
        <label class="hidden" for="request-headers">Headers, one a line</label>
        <textarea id="request-headers" class="code" rows="3" spellcheck=${false} placeholder="x-claude-code-request-class: auxiliary" value=${draft.headers} onInput=${(event) => change({ headers: event.target.value })}></textarea>
      </details>
      <p class="hint">A request of the live list cannot be opened here: the proxy keeps no text of it. Paste what was sent.</p>
    <//>`;
}
