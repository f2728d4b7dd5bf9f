// A text of the reader's, and what the taxonomy finds in it, as they type.
import { html, useEffect, useState } from "../dom.js";
import { post } from "../api.js";
import { count } from "../format.js";
import { Marked } from "../marked.js";
import { Card, Failure, Table, Target } from "../ui.js";

const PAUSE_MS = 150;
const FIRST = "Go to plan mode first, then think hard about the migration.";

const spans = (match) => match.spans.map(([start, end]) => ({ start, end }));

/** What the proxy finds in `text`: {found, problem}; `found` names the text that it is of. */
function useMatches(text) {
  const [state, set] = useState({ found: null, problem: null });
  useEffect(() => {
    const stop = new AbortController();
    const ask = async () => {
      try {
        const { matches } = await post("/admin/taxonomy/match", { text }, { signal: stop.signal });
        if (!stop.signal.aborted) set({ found: { text, matches: matches.map((each) => ({ ...each, spans: spans(each) })) }, problem: null });
      } catch (problem) {
        if (!stop.signal.aborted) set((before) => ({ ...before, problem }));
      }
    };
    const timer = setTimeout(ask, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [text]);
  return state;
}

const COLUMNS = [
  { key: "concept", label: "Concept", render: ({ concept, path }) => html`<b title=${path}>${concept}</b>` },
  { key: "target", label: "Routes to", render: ({ target }) => (target ? html`<${Target} target=${target} />` : html`<span class="quiet">nowhere</span>`) },
  { key: "how", label: "How", render: ({ how }) => how },
  { key: "priority", label: "Priority", num: true, render: ({ priority }) => count(priority) },
  { key: "score", label: "Score", num: true, render: ({ score }) => count(score) },
];

export function Match() {
  const [text, setText] = useState(FIRST);
  const { found, problem } = useMatches(text);
  return html`
    <${Card} title="Try a text">
      <label class="hidden" for="match-text">Text</label>
      <textarea id="match-text" rows="2" value=${text} onInput=${(event) => setText(event.target.value)}></textarea>
      <${Failure} problem=${problem} />
      ${found && html`
        <div class="found" aria-live="polite">
          ${found.text && html`<${Marked} text=${found.text} matches=${found.matches} />`}
          ${found.matches.length
            ? html`<${Table} caption="Concepts that were found, the best first" columns=${COLUMNS} rows=${found.matches} rowKey=${({ path, concept }) => `${path} ${concept}`} />`
            : html`<p class="quiet">No concept: the pattern phase passes.</p>`}
        </div>`}
    <//>`;
}
