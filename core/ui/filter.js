// The filter box: words that must all be in a request's summary; `field:word` looks into one field. As `/admin/requests?q=`.
const FIELDS = ["id", "client", "agent", "class", "session", "requested", "target", "answered_by", "phase", "reason", "status", "error"];

/** A predicate over summaries. */
export function wanted(query) {
  const tests = query.toLowerCase().split(/\s+/).filter(Boolean).map(test);
  return (summary) => tests.every((holds) => holds(summary));
}

function test(word) {
  const at = word.indexOf(":");
  const field = word.slice(0, Math.max(at, 0));
  if (FIELDS.includes(field)) return (summary) => text(summary, field).includes(word.slice(at + 1));
  return (summary) => FIELDS.some((each) => text(summary, each).includes(word));
}

const text = (summary, field) => String(summary[field] ?? "").toLowerCase();
