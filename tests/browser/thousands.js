// Three thousand requests in a second, as the live feed would tell them.
async () => {
  const { keep, update } = await import("/ui/store.js");
  const one = (at) => ({
    id: `made_${at}`, at_ms: at, requested: `m${at}`, target: "p,m", answered_by: "p,m", phase: "default", reason: "default", client: "",
    status: 200, state: "done", attempts: 1, ms: 1, tokens: { input: 1, output: 1, cache_read: 0, cache_write: 0 },
  });
  for (let at = 0; at < 3000; at += 1) {
    keep(one(at));
    update({});
    if (at % 100 === 0) await new Promise(requestAnimationFrame);
  }
}
