// The text that patterns read, with what they found marked in it.
import { html } from "./dom.js";
import { excerpt, segments } from "./spans.js";

const GAP = " … ";

/** `matches` with spans of {start, end} in code points; the first concept is the one that ranks highest. */
export function Marked({ text, matches }) {
  if (!text) return html`<p class="quiet">The request has no text of a human.</p>`;
  const spans = matches.flatMap((match, rank) => match.spans.map(({ start, end }) => ({ start, end, what: { rank, concept: match.concept } })));
  return html`
    <p class="marked">${excerpt(segments(text, spans)).map((piece, at) => {
      if (piece === null) return html`<span key=${at} class="quiet">${GAP}</span>`;
      if (!piece.marks.length) return html`<span key=${at}>${piece.text}</span>`;
      const rank = Math.min(...piece.marks.map((mark) => mark.rank));
      const names = piece.marks.map((mark) => mark.concept).join(", ");
      return html`<mark key=${at} class=${rank ? "other" : "first"} title=${names}>${piece.text}</mark>`;
    })}</p>`;
}
