// Asks the proxy how it would decide, a moment after the last change; the last question's answer is the one that stays.
import { useEffect, useReducer } from "../dom.js";
import { post } from "../api.js";
import { alike } from "./differences.js";

/** Milliseconds without a change until the proxy is asked. */
const PAUSE_MS = 150;

const NOTHING = { answer: null, before: null, pinned: null, problem: null, asking: false };

/** `before` is the last decision that was another one; `pinned` one that the reader holds fast. */
function told(state, { kind, answer, problem }) {
  if (kind === "asking") return { ...state, asking: true };
  if (kind === "given up") return { ...state, asking: false };
  if (kind === "problem") return { ...state, asking: false, problem };
  if (kind === "pin") return { ...state, pinned: state.pinned ? null : state.answer?.explanation ?? null };
  const last = state.answer?.explanation;
  const moved = last && !alike(last, answer.explanation);
  return { ...state, answer, before: moved ? last : state.before, problem: null, asking: false };
}

/** {answer (`tried`: the candidate's bytes that it is of), before, pinned, problem, asking, pin} for a question as text (null: nothing to ask); `turn` asks anew. */
export function useDecision(question, turn) {
  const [state, tell] = useReducer(told, NOTHING);
  useEffect(() => {
    if (question === null) return undefined;
    const stop = new AbortController();
    const ask = async () => {
      tell({ kind: "asking" });
      try {
        const body = JSON.parse(question);
        const answer = await post("/admin/route", body, { signal: stop.signal });
        if (!stop.signal.aborted) tell({ kind: "answer", answer: { ...answer, tried: body.candidate?.data ?? "" } });
      } catch (problem) {
        if (!stop.signal.aborted) tell({ kind: "problem", problem });
      }
    };
    const timer = setTimeout(ask, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
      tell({ kind: "given up" });
    };
  }, [question, turn]);
  return { ...state, pin: () => tell({ kind: "pin" }) };
}
