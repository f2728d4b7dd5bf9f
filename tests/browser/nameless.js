// Controls and pictures without a name that can be read out (WCAG 2.2, 4.1.2).
() => [...document.querySelectorAll("a, button, input, select, textarea, summary, [tabindex], [role=img], [role=meter], [role=group]")]
  .filter((each) => each.checkVisibility() && each.id !== "main")
  .filter((each) => !(each.getAttribute("aria-label") || each.textContent.trim() || each.labels?.length || each.title))
  .map((each) => each.outerHTML.slice(0, 120))
