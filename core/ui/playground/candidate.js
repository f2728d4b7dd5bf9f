// A rule on trial: compiled and asked in the sandbox beside the live decision, in shadow.
import { html, useRef } from "../dom.js";
import { count, micros, plain } from "../format.js";
import { toneOf } from "../rules/tones.js";
import { Badge, Card, Facts, Target } from "../ui.js";

/** What every rule may be granted, whether it asks for it or not. */
const TEXTS = ["request.last_user", "request.system"];

function Chooser({ take }) {
  const input = useRef(null);
  return html`
    <button type="button" onClick=${() => input.current.click()}>Choose a file</button>
    <input ref=${input} class="hidden" type="file" accept=".wasm,.wat,.json,.toml" aria-label="Rule file" tabindex="-1"
      onChange=${(event) => { take([...event.target.files]); event.target.value = ""; }} />`;
}

/** What it said: the rule's own words, as text. */
function Said({ outcome }) {
  const { code, route, reason, deny_status: status, deny_message: message, fuel, micros: time } = outcome;
  const facts = [
    ["outcome", html`<${Badge} tone=${toneOf(code)}>${code}<//>`],
    route && ["names", html`<${Target} target=${route} />`],
    status && ["refuses", html`<span>with ${status}${message && html`: <q>${message}</q>`}</span>`],
    reason && ["reason", html`<code>${reason}</code>`],
    ["fuel", count(fuel)],
    ["time", micros(time)],
  ];
  return html`<${Facts} facts=${facts.filter(Boolean)} />`;
}

/** The live decision and the one with the rule, side by side. */
const Versus = ({ would, differs, live }) => html`
  <p class="versus ${differs ? "differs" : ""}" role="status">
    <span><small>live</small>${live ? html`<${Target} target=${live} />` : "refused"}</span>
    <span><small>with this rule</small>${would ? html`<${Target} target=${would} />` : "refused"}</span>
    <${Badge} tone=${differs ? "warn" : "good"}>${differs ? "another decision" : "the same decision"}<//>
  </p>`;

function Verdict({ tried, live }) {
  const { outcome, problem, logs, asked, why, notes } = tried;
  return html`
    ${problem && html`<p class="notice tone-bad" role="alert">${problem}</p>`}
    ${outcome && html`
      <${Versus} would=${tried.would} differs=${tried.differs} live=${live} />
      ${asked === false && why && html`<p class="quiet">Live it would not be asked (${why}); here it was asked alone.</p>`}
      <${Said} outcome=${outcome} />`}
    ${notes?.map((note, at) => html`<p class="quiet" key=${at}>${note}</p>`)}
    ${logs && html`<figure class="log"><figcaption>What it logged</figcaption><pre>${logs}</pre></figure>`}`;
}

/** `asks`: what the rule would like to see and was not granted. */
function Grants({ asks, granted, change }) {
  const wanted = [...granted, ...asks];
  const paths = [...new Set([...wanted, ...TEXTS.filter((text) => !wanted.some((path) => path.startsWith(text)))])].sort();
  const flip = (path) => change({ grants: granted.includes(path) ? granted.filter((each) => each !== path) : [...granted, path] });
  return html`
    <fieldset class="grants">
      <legend>Let it see</legend>
      ${paths.map((path) => html`
        <label key=${path}><input type="checkbox" checked=${granted.includes(path)} onChange=${() => flip(path)} /> <code>${path}</code></label>`)}
    </fieldset>`;
}

/** `trial` is null or {name, data, manifest, grants}; `tried` what the proxy said of it; `live` the decided target. */
export function Candidate({ trial, tried, live, problem, broken, take, change, drop }) {
  const buttons = html`<div class="buttons"><${Chooser} take=${take} />${trial && html`<button type="button" onClick=${drop}>Remove</button>`}</div>`;
  return html`
    <${Card} title="A rule on trial" aside=${buttons} class="trial">
      ${problem && html`<p class="notice tone-bad" role="alert">${problem}</p>`}
      ${!trial && html`<p class="quiet">Drop a <code>.wasm</code> or <code>.wat</code> file anywhere on this view. It is compiled and asked in the sandbox like any rule, decides nothing, and is forgotten after five minutes.</p>`}
      ${trial && html`
        <p class="trial-name"><b class="mono">${trial.name}</b> ${tried?.sha256 && html`<span class="quiet mono">${tried.sha256.slice(0, 12)}</span> <span class="quiet">${count(tried.size)} bytes</span>`}</p>
        ${tried ? html`<${Verdict} tried=${tried} live=${live} />` : html`<p class="quiet">${broken ? "It is tried as soon as the request is JSON." : "Compiling"}</p>`}
        ${tried?.subscribes?.length > 0 && html`<p class="quiet">sees ${plain(tried.subscribes)}</p>`}
        <${Grants} asks=${tried?.ungranted ?? []} granted=${trial.grants} change=${change} />
        <details class="more"><summary>Manifest</summary>
          <label class="hidden" for="manifest">Manifest as TOML</label>
          <textarea id="manifest" class="code" rows="4" spellcheck=${false} placeholder=${'routes = ["openai,gpt-5"]'} value=${trial.manifest} onInput=${(event) => change({ manifest: event.target.value })}></textarea>
        </details>`}
    <//>`;
}
