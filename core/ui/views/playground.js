// The playground: a request, how it would be decided now, and a rule on trial beside it.
import { html, useEffect, useMemo, useState } from "../dom.js";
import { Candidate } from "../playground/candidate.js";
import { useDecision } from "../playground/decision.js";
import { Editor, headersOf } from "../playground/editor.js";
import { EXAMPLES } from "../playground/examples.js";
import { candidateOf } from "../playground/file.js";
import { parsed } from "../playground/json_problem.js";
import { Outcome } from "../playground/outcome.js";
import { useStore } from "../store.js";

const pretty = (value) => JSON.stringify(value, null, 2);
const [FIRST] = EXAMPLES;

/** The reader's draft outlives the view, and ends with the page: it is kept nowhere. */
let draft = { text: pretty(FIRST.body()), dialect: FIRST.dialect, headers: "", trial: null };

function useDraft() {
  const [current, set] = useState(draft);
  const change = (part) => {
    draft = { ...draft, ...part };
    set(draft);
  };
  return [current, change];
}

/** Files that are dropped anywhere while the view is there; `over` while one hovers. */
function useDrop(take) {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const hover = (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return; // text that is moved about is the editor's
      event.preventDefault();
      setOver(event.type === "dragover" || (event.type === "dragleave" && event.relatedTarget !== null));
      if (event.type === "drop") take([...event.dataTransfer.files]);
    };
    const kinds = ["dragover", "dragleave", "drop"];
    kinds.forEach((kind) => addEventListener(kind, hover));
    return () => kinds.forEach((kind) => removeEventListener(kind, hover));
  }, []);
  return over;
}

/** What is asked, as text, so that the same question is the same value; null while the request is no JSON. */
function question({ text, dialect, headers, trial }) {
  const { value } = parsed(text);
  return value && JSON.stringify({ request: value, dialect, headers: headersOf(headers), candidate: trial });
}

const targetOf = ({ decision }) => (decision.provider ? `${decision.provider},${decision.model}` : "");

export function Playground() {
  const [now, change] = useDraft();
  const [wrong, setWrong] = useState("");
  const { overview } = useStore();
  const { problem } = useMemo(() => parsed(now.text), [now.text]);
  const asked = useMemo(() => question(now), [now]);
  const known = useDecision(asked, overview?.snapshot);
  const tried = now.trial && known.answer?.tried === now.trial.data ? known.answer.candidate : null;
  const live = known.answer ? targetOf(known.answer.explanation) : "";

  const take = async (files) => {
    setWrong("");
    for (const file of files) {
      try {
        if (/\.json$/i.test(file.name)) change({ text: await file.text(), dialect: "" });
        else if (/\.toml$/i.test(file.name) && draft.trial) change({ trial: { ...draft.trial, manifest: await file.text() } });
        else change({ trial: { manifest: "", grants: [], ...draft.trial, ...(await candidateOf(file)) } });
      } catch (failed) {
        setWrong(failed.message);
      }
    }
  };
  const over = useDrop(take);

  return html`
    <div class="playground ${over ? "over" : ""}">
      <div class="left">
        <${Editor} draft=${now} problem=${problem} change=${change}
          example=${(each) => change({ text: pretty(each.body(live)), dialect: each.dialect })} />
        <${Candidate} trial=${now.trial} tried=${tried} live=${live} broken=${problem !== null} problem=${wrong} take=${take}
          change=${(part) => change({ trial: { ...draft.trial, ...part } })} drop=${() => change({ trial: null })} />
      </div>
      <${Outcome} ...${known} broken=${problem !== null} />
    </div>`;
}
