// Requests to begin with: one for each thing that routing looks at, in the three dialects that clients speak.

const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=";

const user = (content) => ({ role: "user", content });
const anthropic = (content, more = {}) => ({ model: "claude-sonnet-4-5", max_tokens: 1024, ...more, messages: [user(content)] });

/** About 70 000 tokens: more than the usual threshold of a long context. */
const log = () =>
  Array.from({ length: 3600 }, (_, line) => `2026-11-23T09:${String(line % 60).padStart(2, "0")}:07Z worker-${line % 8} took job ${line}`).join("\n");

/** `dialect` as `POST /admin/route` takes it; `body(target)` makes the request, with the target of the moment at hand. */
export const EXAMPLES = [
  { name: "Plain", dialect: "anthropic", body: () => anthropic("What is a monad, in two sentences?") },
  {
    name: "Concept", dialect: "anthropic",
    body: () => anthropic("Go to plan mode and lay out how we move the billing tables without downtime."),
  },
  {
    name: "Thinking", dialect: "openai",
    body: () => ({
      model: "gpt-5", reasoning_effort: "high", max_completion_tokens: 4096,
      messages: [user("Is every finite group of odd order solvable? Sketch why.")],
    }),
  },
  {
    name: "Web search", dialect: "openai-responses",
    body: () => ({ model: "gpt-5", input: "What changed in Python 3.14?", tools: [{ type: "web_search" }] }),
  },
  {
    name: "Image", dialect: "anthropic",
    body: () => anthropic([
      { type: "image", source: { type: "base64", media_type: "image/png", data: PIXEL } },
      { type: "text", text: "What is in this picture?" },
    ]),
  },
  { name: "Long", dialect: "anthropic", body: () => anthropic(`${log()}\n\nWhich worker took the most jobs?`) },
  {
    name: "Background", dialect: "anthropic",
    body: () => ({
      model: "claude-haiku-4-5", max_tokens: 64, stop_sequences: ["</block>"],
      system: "Answer with a title of at most six words.",
      messages: [user("The build fails since we moved to the new linker.")],
    }),
  },
  {
    name: "Explicit", dialect: "openai",
    body: (target) => ({ model: target || "anthropic,claude-sonnet-4-5", messages: [user("Say hello.")] }),
  },
  { name: "Rule", dialect: "openai", body: () => ({ model: "wasm-demo", messages: [user("Say hello.")] }) },
];
