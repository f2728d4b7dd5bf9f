// Text of an event stream -> events. Pure: a string in, what it completed out.

/** A parser with a memory; `parse(text)` gives [{event, data}] of the events that this text ended. */
export function eventParser() {
  let rest = "";
  return (text) => {
    const blocks = (rest + text).split("\n\n");
    rest = blocks.pop();
    return blocks.map(parsed).filter((each) => each.data);
  };
}

function parsed(block) {
  const found = { event: "message", data: "" };
  for (const line of block.split("\n")) {
    const at = line.indexOf(":");
    if (at < 1) continue; // a comment, which keeps the connection open
    const value = line.slice(at + 1).replace(/^ /, "");
    const name = line.slice(0, at);
    if (name === "event") found.event = value;
    if (name === "data") found.data += found.data ? `\n${value}` : value;
  }
  return found;
}
