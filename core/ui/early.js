// Before the first paint: the theme that the reader chose, if any. The only script that is no module, for this reason.
(() => {
  try {
    const theme = localStorage.getItem("terraphim-theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // no storage: the system's theme
  }
})();
