// The line at the top: is the feed there, what has happened, which snapshot serves.
import { html } from "./dom.js";
import { brief, count, duration, moment } from "./format.js";
import { useStore } from "./store.js";

const LINKS = {
  connecting: ["connecting", "info"],
  open: ["live", "good"],
  lost: ["connection lost, trying again", "bad"],
};

export function Status() {
  const { link, overview, tick, rate } = useStore();
  const [word, tone] = LINKS[link] ?? LINKS.connecting;
  const requests = tick?.requests ?? overview?.requests.total;
  const errors = tick?.errors ?? overview?.requests.errors;
  return html`
    <div class="status">
      <span class="link tone-${tone}" role="status"><i aria-hidden="true"></i>${word}</span>
      ${overview && html`
        <dl>
          <div><dt>requests</dt><dd title=${count(requests)}>${brief(requests)}</dd></div>
          <div><dt>a second</dt><dd>${rate.toFixed(rate < 10 ? 1 : 0)}</dd></div>
          <div><dt>in flight</dt><dd>${count(tick?.in_flight ?? overview.in_flight)}</dd></div>
          <div class=${errors ? "tone-bad" : ""}><dt>errors</dt><dd>${count(errors)}</dd></div>
          <div class="wide"><dt>up</dt><dd>${duration((tick?.now_ms ?? overview.now_ms) - overview.started_ms)}</dd></div>
          <div class="wide"><dt>snapshot</dt><dd class="mono" title=${`serves since ${moment(overview.snapshot_at_ms)}`}>${overview.snapshot.slice(0, 12)}</dd></div>
        </dl>`}
    </div>`;
}
