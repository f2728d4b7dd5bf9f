// Before a rule is moved: what will happen, and room for the reason. The browser keeps the focus inside.
import { html, useState } from "../dom.js";
import { post } from "../api.js";
import { Dialog } from "../ui.js";

const close = (event) => event.target.closest("dialog").close();

/** `done(answer)` hears what the proxy said; `onClose` ends the dialog in any case. */
export function Confirm({ rule, action, done, onClose }) {
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const reason = new FormData(event.target).get("reason");
      done(await post(`/admin/rules/${encodeURIComponent(rule.name)}/${action.verb}`, { reason }));
      close(event);
    } catch (failed) {
      setProblem(failed.message);
      setBusy(false);
    }
  };
  return html`
    <${Dialog} title=${`${action.label} ${rule.name}?`} onClose=${onClose}>
      <form onSubmit=${submit}>
        <p>${action.effect(rule)}</p>
        <p class="quiet">${action.lasting}</p>
        <label>Why <input name="reason" autocomplete="off" maxlength="200" placeholder="kept in the rule's history" /></label>
        ${problem && html`<p class="notice tone-bad" role="alert">${problem}</p>`}
        <div class="buttons">
          <button type="button" onClick=${close}>Cancel</button>
          <button type="submit" class="primary ${action.verb === "disable" || action.verb === "rollback" ? "danger" : ""}" disabled=${busy}>${action.label}</button>
        </div>
      </form>
    <//>`;
}
