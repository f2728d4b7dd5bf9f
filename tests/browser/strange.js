() => {
  const own = new Set(["a", "aside", "b", "br", "button", "canvas", "caption", "circle", "code", "datalist", "dd", "details", "dialog", "div", "dl", "dt",
    "fieldset", "form", "g", "h1", "h2", "h3", "h4", "header", "footer", "i", "img", "input", "kbd", "label", "legend", "li", "line", "main", "mark", "nav", "ol",
    "optgroup", "option", "output", "p", "path", "polyline", "pre", "rect", "search", "section", "select", "small", "span", "strong", "summary", "svg",
    "table", "tbody", "td", "text", "textarea", "th", "thead", "time", "title", "tr", "tspan", "ul", "wbr", "article", "footer", "em", "figure", "figcaption", "hr", "output", "meter", "progress",
    "polygon", "sub", "sup", "small", "colgroup", "col", "tfoot", "defs", "clippath", "desc"]);
  const places = ["href", "src", "action", "formaction", "xlink:href"];
  const foreign = (each) => !own.has(each.localName)
    || [...each.attributes].some(({ name }) => name.startsWith("on"))
    || places.some((name) => each.hasAttribute(name) && !/^(#|\/ui\/)/.test(each.getAttribute(name)));
  return [...document.querySelectorAll("#app *")].filter(foreign).map((each) => each.outerHTML.slice(0, 200));
}
