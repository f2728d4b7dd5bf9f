// What a hostile page tries on `at` (the proxy as it reaches it), even if it knows the token: [[what, result], …].
async ({ at, token, gets, posts }) => {
  const results = [];
  const attempt = async (what, act) => {
    let found;
    try { found = await act(); } catch (problem) { found = `stopped: ${problem.name}`; }
    results.push([what, found]);
  };
  const asked = async (path, options) => {
    const answer = await fetch(at + path, options);
    return answer.type === "opaque" ? "opaque" : `${answer.status} ${(await answer.text()).slice(0, 300)}`;
  };
  const secret = { authorization: `Bearer ${token}` };
  const form = (path, body) => new Promise((done) => {
    const frame = Object.assign(document.createElement("iframe"), { name: "sink" });
    const sent = Object.assign(document.createElement("form"), { method: "POST", action: at + path, target: "sink", enctype: "text/plain" });
    sent.append(Object.assign(document.createElement("input"), { name: body }));
    document.body.append(frame, sent);
    frame.onload = () => {
      let text;
      try { text = frame.contentDocument.body.textContent; } catch { text = "unreadable"; }
      frame.remove();
      done(text);
    };
    sent.submit();
  });
  for (const path of gets) {
    await attempt(`GET ${path}`, () => asked(path));
    await attempt(`GET ${path} no-cors`, () => asked(path, { mode: "no-cors", credentials: "include" }));
    await attempt(`GET ${path} with the token`, () => asked(path, { headers: secret }));
    await attempt(`GET ${path} token in the query`, () => asked(`${path}?token=${token}`));
  }
  for (const [path, body] of posts) {
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/json"]) {
      const headers = { "content-type": type };
      await attempt(`POST ${path} ${type}`, () => asked(path, { method: "POST", body, headers }));
      await attempt(`POST ${path} ${type} with the token`, () => asked(path, { method: "POST", body, headers: { ...headers, ...secret } }));
      await attempt(`POST ${path} ${type} no-cors`, () => asked(path, { method: "POST", body, headers, mode: "no-cors" }));
    }
    await attempt(`beacon ${path}`, async () => `sent: ${navigator.sendBeacon(at + path, new Blob([body], { type: "text/plain" }))}`);
    await attempt(`form ${path}`, () => form(path, body));
  }
  return results;
}
