// Texts whose contrast to what lies behind them is less than 4.5 : 1 (WCAG 2.2, 1.4.3). Colours are painted on a canvas, one over
// the other from the root to the text, so that any notation and any alpha counts.
() => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const paint = canvas.getContext("2d", { willReadFrequently: true });
  const over = (colours) => {
    for (const colour of colours) { paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1); }
    return [...paint.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((value) => value / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const element = text.parentElement;
    if (!text.data.trim() || element.closest("noscript, svg, .hidden, .skip") || !element.checkVisibility()) continue;
    const line = [];
    for (let each = element; each; each = each.parentElement) line.unshift(getComputedStyle(each).backgroundColor);
    const ground = ["#fff", ...line];
    const [behind, front] = [light(over(ground)), light(over([...ground, getComputedStyle(element).color]))];
    const contrast = (Math.max(behind, front) + 0.05) / (Math.min(behind, front) + 0.05);
    if (contrast < 4.5) found.push(`${contrast.toFixed(2)} ${element.tagName} ${element.className}: ${text.data.trim().slice(0, 40)}`);
  }
  return [...new Set(found)];
}
