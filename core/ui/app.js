// The frame: who may look (token), where one is (router), what is up (banners), and the view.
import { html, render, useEffect, useErrorBoundary, useState } from "./dom.js";
import { get, takeToken, token, whenLocked } from "./api.js";
import { Banners } from "./banners.js";
import { address, go, place, usePlace } from "./router.js";
import { start, state, update, useStore } from "./store.js";
import { Status } from "./status.js";
import { ThemeSwitch } from "./theme.js";
import { VIEWS } from "./views.js";

/** There is a token: what it opens. A feed that is there already stays. */
function open() {
  if (state.link === "locked") update({ link: "connecting" });
  start();
}

function Gate() {
  const [problem, setProblem] = useState(token.get() ? "The proxy does not know this token." : "");
  const enter = async (event) => {
    event.preventDefault();
    token.set(new FormData(event.target).get("token"));
    try {
      await get("/admin/overview");
    } catch (wrong) {
      setProblem(wrong.message);
      return;
    }
    open();
  };
  return html`
    <main class="gate" id="main">
      <img src="/ui/icon.svg" alt="" width="40" height="40" />
      <h1>Terraphim LLM Proxy</h1>
      <p>This page needs the admin token. The proxy prints a link with it when it starts, and keeps it in the file <code>admin-token</code> of its state folder.</p>
      <form onSubmit=${enter}>
        <label for="token">Admin token</label>
        <input id="token" name="token" type="password" autocomplete="off" spellcheck="false" required autofocus />
        <button class="primary" type="submit">Open</button>
      </form>
      ${problem && html`<p class="notice tone-bad" role="alert">${problem}</p>`}
    </main>`;
}

function Nav({ current }) {
  const groups = [...new Set(VIEWS.map((view) => view.group))];
  return html`
    <nav aria-label="Views">
      ${groups.map((group) => html`
        <div class="nav-group" key=${group}>
          <h2>${group}</h2>
          <ul>${VIEWS.filter((view) => view.group === group).map((view) => html`
            <li key=${view.path}><a href=${address(view.path)} aria-current=${view === current ? "page" : undefined}>${view.name}</a></li>`)}
          </ul>
        </div>`)}
    </nav>`;
}

function Shown({ view, at }) {
  const [problem, retry] = useErrorBoundary();
  if (!problem) return html`<${view.View} ...${at} />`;
  return html`<div class="notice tone-bad" role="alert"><p>This view failed: ${String(problem.message)}</p><button type="button" onClick=${retry}>Try again</button></div>`;
}

const toMain = (event) => {
  event.preventDefault();
  document.getElementById("main").focus();
};

function App() {
  const at = usePlace();
  const { link } = useStore();
  const view = VIEWS.find((each) => each.path === at.view) ?? VIEWS[0];
  useEffect(() => { document.title = `${view.name} · Terraphim LLM Proxy`; }, [view]);
  if (link === "locked") return html`<${Gate} />`;
  return html`
    <a class="skip" href="#main" onClick=${toMain}>Skip to the content</a>
    <div class="frame">
      <aside class="side">
        <a class="brand" href=${address("live")}><img src="/ui/icon.svg" alt="" width="22" height="22" /><span>terraphim</span></a>
        <${Nav} current=${view} />
        <${ThemeSwitch} />
      </aside>
      <main id="main" tabindex="-1">
        <header class="top"><h1>${view.name}</h1><${Status} /></header>
        <${Banners} />
        <${Shown} key=${view.path} view=${view} at=${at} />
      </main>
    </div>`;
}

const home = () => go(VIEWS[0].path, "", {}, { quietly: true });

takeToken();
whenLocked(() => update({ link: "locked" }));
if (!VIEWS.some((view) => view.path === place().view)) home();
addEventListener("hashchange", () => { // the banner's link, pasted where the page is already
  if (!takeToken()) return;
  home();
  open();
});
render(html`<${App} />`, document.getElementById("app"));
if (token.get()) start();
else update({ link: "locked" });
