// A rule on trial: compiled and asked in the sandbox beside the live decision, in shadow.
import { html, useRef } from "../dom.js";
import { count, micros, plain } from "../format.js";
import { toneOf } from "../rules/tones.js";
import { Badge, Card, Facts, Target } from "../ui.js";

/** What a rule sees only if its operator grants it. */
const GRANTED = /^(request\.(last_user|system|messages)|session|headers)\b/;
const TEXTS = ["request.last_user", "request.system"];

function Chooser({ take }) {
  const input = useRef(null);
  return html`
    <button type="button" onClick=${() => input.current.click()}>Choose a file</button>
    <input ref=${input} class="hidden" type="file" accept=".wasm,.wat,.json,.toml" aria-label="Rule file" tabindex="-1"
      onChange=${(event) => { take([...event.target.files]); event.target.value = ""; }} />`;
}

function Verdict({ tried, live }) {
  const { outcome, would, differs, problem, logs } = tried;
  if (problem) return html`<p class="notice tone-bad" role="alert">${problem}</p>`;
  const facts = [
    ["outcome", html`<${Badge} tone=${toneOf(outcome.code)}>${outcome.code}<//>`],
    ["names", outcome.route ? html`<${Target} target=${outcome.route} />` : "–"],
    ["reason", outcome.reason ? html`<code>${outcome.reason}</code>` : "–"],
    ["fuel", count(outcome.fuel)],
    ["time", micros(outcome.micros)],
  ];
  return html`
    <p class="versus ${differs ? "differs" : ""}" role="status">
      <span><small>live</small><${Target} target=${live} /></span>
      <span><small>with this rule</small><${Target} target=${would} /></span>
      <${Badge} tone=${differs ? "warn" : "good"}>${differs ? "another target" : "the same"}<//>
    </p>
    <${Facts} facts=${facts} />
    ${outcome.message && html`<p class="quiet">${outcome.message}</p>`}
    ${logs && html`<figure class="log"><figcaption>What it logged</figcaption><pre>${logs}</pre></figure>`}`;
}

function Grants({ asks, granted, change }) {
  const wanted = asks.filter((path) => GRANTED.test(path));
  const paths = [...new Set([...wanted, ...TEXTS.filter((text) => !wanted.some((path) => path.startsWith(text)))])];
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
        ${tried?.subscribes?.length > 0 && html`<p class="quiet">asks to see ${plain(tried.subscribes)}</p>`}
        <${Grants} asks=${tried?.subscribes ?? []} granted=${trial.grants} change=${change} />
        <details class="more"><summary>Manifest</summary>
          <label class="hidden" for="manifest">Manifest as TOML</label>
          <textarea id="manifest" class="code" rows="4" spellcheck=${false} placeholder=${'routes = ["openai,gpt-5"]'} value=${trial.manifest} onInput=${(event) => change({ manifest: event.target.value })}></textarea>
        </details>`}
    <//>`;
}
