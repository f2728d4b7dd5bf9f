// Where matches lie in a text. Pure. The proxy counts characters (code points), JavaScript counts UTF-16 units.

/** Position in UTF-16 units of each of `points` (ascending code points) in `text`. */
function units(text, points) {
  const found = new Map();
  let unit = 0;
  let point = 0;
  for (const wanted of points) {
    while (point < wanted && unit < text.length) {
      unit += text.codePointAt(unit) > 0xffff ? 2 : 1;
      point += 1;
    }
    found.set(wanted, unit);
  }
  return found;
}

/**
 * `text` cut where marks begin and end: [{text, marks: [what]}]. `spans` are [{start, end, what}] in code points and
 * may overlap; what lies outside the text is left out.
 */
export function segments(text, spans) {
  const points = [...new Set(spans.flatMap(({ start, end }) => [start, end]))].sort((one, other) => one - other);
  const at = units(text, points);
  const cuts = [...new Set([0, ...at.values(), text.length])].sort((one, other) => one - other);
  return cuts.slice(1).map((end, index) => {
    const start = cuts[index];
    const over = spans.filter((span) => at.get(span.start) <= start && end <= at.get(span.end));
    return { text: text.slice(start, end), marks: over.map(({ what }) => what) };
  });
}

/** Segments with long stretches between marks cut to `around` characters on either side; null stands for what is gone. */
export function excerpt(pieces, around = 160) {
  return pieces.flatMap((piece, index) => {
    if (piece.marks.length || piece.text.length <= 2 * around) return [piece];
    const head = index ? [{ ...piece, text: piece.text.slice(0, around) }] : [];
    const tail = index < pieces.length - 1 ? [{ ...piece, text: piece.text.slice(-around) }] : [];
    if (pieces.length === 1) return [{ ...piece, text: piece.text.slice(0, 2 * around) }, null];
    return [...head, null, ...tail];
  });
}
