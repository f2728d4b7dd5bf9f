async ([places, selector]) => {
  const strange = STRANGE;
  const found = [];
  for (const place of places) {
    location.hash = place;
    const wanted = selector.replace("ID", place.split("/")[2]);
    const end = performance.now() + 5000;
    do await new Promise(requestAnimationFrame);
    while (selector && !document.querySelector(wanted) && performance.now() < end);
    if (selector && !document.querySelector(wanted)) return [...found, `nothing at ${place}: ${document.querySelector("main").innerText.slice(-300)}`];
    await new Promise(requestAnimationFrame);
    found.push(...strange());
  }
  return found;
}
