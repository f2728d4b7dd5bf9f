// Light, dark, or what the system says.
import { html, useState } from "./dom.js";
import { Choice } from "./ui.js";

const KEY = "terraphim-theme";
const root = document.documentElement;

export function ThemeSwitch() {
  const [theme, setTheme] = useState(root.dataset.theme ?? "");
  const choose = (wanted) => {
    setTheme(wanted);
    if (wanted) root.dataset.theme = wanted;
    else delete root.dataset.theme;
    try {
      if (wanted) localStorage.setItem(KEY, wanted);
      else localStorage.removeItem(KEY);
    } catch {
      // no storage: it lasts as long as the page
    }
    dispatchEvent(new Event("themechange"));
  };
  return html`<${Choice} label="Theme" value=${theme} onChange=${choose} options=${[["", "Auto"], ["light", "Light"], ["dark", "Dark"]]} />`;
}
