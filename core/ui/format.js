// Values -> words for people. Pure; unknown is always "–", never zero.
export const UNKNOWN = "–";
const known = (value) => value !== null && value !== undefined && !Number.isNaN(value);
const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** 1234567 -> "1,234,567". */
export const count = (value) => (known(value) ? grouped.format(value) : UNKNOWN);

/** 1234567 -> "1.2M": for narrow places. */
export function brief(value) {
  if (!known(value)) return UNKNOWN;
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (Math.abs(value) >= size) return `${(value / size).toFixed(Math.abs(value) < 10 * size ? 1 : 0)}${unit}`;
  }
  return Number.isInteger(value) ? `${value}` : value.toFixed(1);
}

/** Micro-USD -> "$0.0042": two digits that mean something, cents from a dollar on. */
export function money(micros) {
  if (!known(micros)) return UNKNOWN;
  const dollars = micros / 1e6;
  if (micros === 0) return "$0";
  if (Math.abs(dollars) >= 1) return `$${dollars.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  return `$${Number(dollars.toPrecision(2)).toFixed(6).replace(/0+$/, "").padEnd(4, "0")}`;
}

/** Milliseconds -> "0.42 ms", "120 ms", "3.4 s", "2 min 5 s". */
export function duration(ms) {
  if (!known(ms)) return UNKNOWN;
  if (ms === 0) return "0 ms";
  if (ms < 10) return `${ms.toFixed(2)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** Microseconds of a rule. */
export const micros = (value) => (known(value) ? (value < 1000 ? `${count(value)} µs` : duration(value / 1000)) : UNKNOWN);

/** Unix ms -> "14:03:27", the reader's clock. */
export function clock(ms) {
  return known(ms) ? new Date(ms).toLocaleTimeString("en-GB") : UNKNOWN;
}

/** Unix ms -> "2026-11-23 14:03:27", the reader's clock. */
export function moment(ms) {
  if (!known(ms)) return UNKNOWN;
  const at = new Date(ms - new Date(ms).getTimezoneOffset() * 60000);
  return at.toISOString().slice(0, 19).replace("T", " ");
}

/** How long ago, of two Unix ms. */
export const ago = (ms, now) => (known(ms) ? `${duration(Math.max(1000, now - ms))} ago` : UNKNOWN);

export const percent = (share) => (known(share) ? `${(share * 100).toFixed(share < 0.1 && share > 0 ? 1 : 0)}%` : UNKNOWN);

/** "provider,model" -> [provider, model]; one without a comma is a model. */
export function parts(target) {
  const at = (target ?? "").indexOf(",");
  return at < 0 ? ["", target ?? ""] : [target.slice(0, at), target.slice(at + 1)];
}

/** A setting's or a fact's name -> words: "last_input_tokens" -> "last input tokens". */
export const words = (name) => String(name).replaceAll("_", " ");

/** Any JSON value in a line, as text. */
export function plain(value) {
  if (value === null || value === undefined || value === "") return UNKNOWN;
  if (Array.isArray(value)) return value.length ? value.map(plain).join(", ") : "none";
  if (typeof value === "object") return Object.entries(value).map(([key, each]) => `${words(key)} ${plain(each)}`).join(", ") || "none";
  if (typeof value === "number") return Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(4)));
  if (typeof value === "boolean") return value ? "yes" : "no";
  return String(value);
}
