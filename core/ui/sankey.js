// Where ribbons and nodes of the flow picture lie. Pure: edges and a size in, coordinates out.
export const COLUMNS = ["client", "phase", "reason", "target"];
const MOST_NODES = 14;
const MOST_RIBBONS = 160;
const OTHER = "other";
const BAR = 9;
const GAP = 7;
const SLOT = 17; // a node's least height, with its name

/** The larger ones by name; those behind them are `other`. Ribbons of the same names are one. */
export function merged(edges, valueOf) {
  const kept = COLUMNS.map((column) => largest(edges, column, valueOf));
  const ribbons = new Map();
  for (const edge of edges) {
    if (!(valueOf(edge) > 0)) continue;
    const names = COLUMNS.map((column, at) => (kept[at].has(edge[column]) ? edge[column] : OTHER));
    add(ribbons, names, edge, valueOf(edge));
  }
  const sorted = [...ribbons.values()].sort((one, two) => two.value - one.value);
  return sorted.slice(0, MOST_RIBBONS);
}

function largest(edges, column, valueOf) {
  const sums = new Map();
  for (const edge of edges) sums.set(edge[column], (sums.get(edge[column]) ?? 0) + (valueOf(edge) || 0));
  return new Set([...sums].sort((one, two) => two[1] - one[1]).slice(0, MOST_NODES).map(([name]) => name));
}

function add(ribbons, names, edge, value) {
  const key = JSON.stringify(names);
  const found = ribbons.get(key) ?? { key, names, value: 0, count: 0, errors: 0, cost: 0, tokens: 0 };
  found.value += value;
  found.count += edge.count;
  found.errors += edge.errors;
  found.cost += edge.cost_micro_usd ?? 0;
  found.tokens += edge.tokens ?? 0;
  ribbons.set(key, found);
}

/** {nodes: [{column, name, value, x, y, width, height}], ribbons: [{…, path}], height}; `order` sorts the phases. */
export function layout(ribbons, { width, room, order }) {
  const columns = COLUMNS.map((_, at) => nodesOf(ribbons, at, order));
  const total = ribbons.reduce((sum, each) => sum + each.value, 0) || 1;
  const most = Math.max(1, ...columns.map((nodes) => nodes.length));
  const scale = Math.max(40, Math.max(room, most * (SLOT + GAP) * 1.25) - most * (SLOT * 0.6 + GAP)) / total;
  const span = (width - BAR) / (COLUMNS.length - 1);
  columns.forEach((nodes, at) => stack(nodes, at * span, scale));
  const height = Math.max(...columns.map((nodes) => bottom(nodes)));
  for (const nodes of columns) centre(nodes, height);
  const places = offsets(ribbons, columns, scale);
  return {
    nodes: columns.flat(), height,
    ribbons: ribbons.map((each) => ({ ...each, path: path(places.get(each.key), Math.max(1, each.value * scale), span) })),
  };
}

function nodesOf(ribbons, column, order) {
  const found = new Map();
  for (const { names, value } of ribbons) {
    const name = names[column];
    const node = found.get(name) ?? { column, name, value: 0 };
    node.value += value;
    found.set(name, node);
  }
  const rank = (name) => (COLUMNS[column] === "phase" && order.includes(name) ? order.indexOf(name) : -1);
  return [...found.values()].sort((one, two) => rank(one.name) - rank(two.name) || (one.name === OTHER) - (two.name === OTHER) || two.value - one.value);
}

function stack(nodes, x, scale) {
  let y = 0;
  for (const node of nodes) {
    node.height = Math.max(2, node.value * scale);
    Object.assign(node, { x, width: BAR, y: y + Math.max(0, SLOT - node.height) / 2 });
    y += Math.max(SLOT, node.height) + GAP;
  }
}

const bottom = (nodes) => (nodes.length ? nodes.at(-1).y + Math.max(nodes.at(-1).height, SLOT) : 0);

function centre(nodes, height) {
  const shift = (height - bottom(nodes)) / 2;
  for (const node of nodes) node.y += shift;
}

/** For each ribbon where it enters and leaves each of its nodes: [{x, in, out}, …]; ribbons of a node do not cross at it. */
function offsets(ribbons, columns, scale) {
  const index = columns.map((nodes) => new Map(nodes.map((node, at) => [node.name, at])));
  const rank = (ribbon, column) => (column < 0 || column >= COLUMNS.length ? 0 : index[column].get(ribbon.names[column]));
  const places = new Map(ribbons.map((each) => [each.key, COLUMNS.map(() => ({}))]));
  columns.forEach((nodes, column) => {
    for (const [side, next] of [["in", column - 1], ["out", column + 1]]) {
      const ways = [...ribbons].sort((one, two) => rank(one, next) - rank(two, next) || rank(one, 1) - rank(two, 1));
      const used = new Map();
      for (const ribbon of ways) {
        const node = nodes[index[column].get(ribbon.names[column])];
        const from = used.get(node.name) ?? 0;
        Object.assign(places.get(ribbon.key)[column], { x: node.x, [side]: node.y + (from + ribbon.value / 2) * scale });
        used.set(node.name, from + ribbon.value);
      }
    }
  });
  return places;
}

function path(places, thickness, span) {
  const bend = span * 0.45;
  const steps = places.slice(1).map((to, at) => {
    const from = places[at];
    return `M${round(from.x + BAR)} ${round(from.out)}C${round(from.x + bend)} ${round(from.out)} ${round(to.x - bend + BAR)} ${round(to.in)} ${round(to.x)} ${round(to.in)}`;
  });
  return { d: steps.join(""), thickness: round(thickness) };
}

const round = (value) => Math.round(value * 10) / 10;
