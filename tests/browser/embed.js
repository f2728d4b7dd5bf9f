// What a foreign page gets of the proxy's files and of its page in a frame.
async (at) => {
  const load = (tag, attributes) => new Promise((done) => {
    const element = Object.assign(document.createElement(tag), attributes);
    element.onload = () => done("loaded");
    element.onerror = () => done("stopped");
    document.body.append(element);
  });
  const frame = Object.assign(document.createElement("iframe"), { src: `${at}/ui` });
  await new Promise((done) => { frame.onload = done; document.body.append(frame); });
  let inside;
  try { inside = frame.contentDocument.body.innerHTML; } catch { inside = "unreadable"; }
  return { script: await load("script", { src: `${at}/ui/early.js` }), image: await load("img", { src: `${at}/ui/icon.svg` }), inside };
}
