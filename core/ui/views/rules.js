// The rules: in the order in which they are asked, with what can be done to them.
import { html, useEffect, useRef, useState } from "../dom.js";
import { Confirm } from "../rules/confirm.js";
import { Rule } from "../rules/rule.js";
import { Empty, Failure, useLoaded } from "../ui.js";

const EVERY_MS = 2000;

/** The dialog gives the focus back to its button; if that is gone now, the rule has it. */
function keepFocus(name) {
  if (document.activeElement !== document.body) return;
  [...document.querySelectorAll("[data-rule]")].find((rule) => rule.dataset.rule === name)?.focus();
}

/** Said once, since it is true of all: what is asked before every rule. */
function Hidden({ rules }) {
  const before = rules.find((rule) => rule.hidden_by)?.hidden_by;
  return before && html`<p class="notice tone-warn">Asked before the rules, and able to hide them: ${before.replaceAll("runtime:", "")}. With <code>routing.order = ["custom", "runtime", "pattern", "default"]</code> rules are asked first.</p>`;
}

const Refused = ({ files }) => files.map((each) => html`
  <p class="notice tone-bad" key=${each.file}><code>${each.file}</code> ${each.message} <span class="hint">${each.hint}</span></p>`);

export function Rules() {
  const { data, problem, reload } = useLoaded("/admin/rules", EVERY_MS);
  const [asked, setAsked] = useState(null);
  const [said, setSaid] = useState("");
  const moved = useRef(null);
  const done = (answer) => {
    moved.current = { name: asked.rule.name, before: data };
    setSaid(answer.said);
    reload();
  };
  useEffect(() => {
    if (!moved.current || asked || data === moved.current.before) return;
    keepFocus(moved.current.name);
    moved.current = null;
  }, [data, asked]);
  return html`
    <div class="rules">
      <${Failure} problem=${problem} retry=${reload} />
      <p class="saying" role="status">${said}</p>
      ${data && html`
        <p class="quiet lead-in">Asked by priority, then by name, in the phase <b>custom</b> of ${data.order.join(" → ")}. Isolation: ${data.isolation}, ${data.workers} ${data.workers === 1 ? "worker" : "workers"}. Counts are of this process, since its start.</p>
        <${Refused} files=${data.refused} />
        <${Hidden} rules=${data.rules} />
        ${data.rules.length === 0 && html`
          <${Empty} title="There are no rules">Drop a <code>.wasm</code> or <code>.wat</code> file into the plugins folder, or try one in the playground first.<//>`}
        ${data.rules.map((rule) => html`<${Rule} key=${rule.name} rule=${rule} act=${(action) => setAsked({ rule, action })} />`)}`}
      ${asked && html`<${Confirm} rule=${asked.rule} action=${asked.action} done=${done} onClose=${() => setAsked(null)} />`}
    </div>`;
}
