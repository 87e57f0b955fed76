// The tree as rows, of which only those in sight are made.

const ROW = 26;
const TESTED = new Set(["solved", "partly", "failed"]);
const INDENT = 210; // pixels for the deepest row in sight
const SMALL = 400; // up to so many rows, all branches are open at first

function makeTree(rows) {
  const children = rows.map(() => []), roots = [], depth = [];
  rows.forEach((row, index) => {
    depth.push(row.parent === null ? 0 : depth[row.parent] + 1);
    (row.parent === null ? roots : children[row.parent]).push(index);
  });
  const below = rows.map(() => 0), best = rows.map((row) => (TESTED.has(row.state) ? row.score : null));
  for (let index = rows.length - 1; index >= 0; index--) {
    const parent = rows[index].parent;
    if (parent === null) continue;
    below[parent] += 1 + below[index];
    if (best[index] !== null && (best[parent] === null || best[index] > best[parent])) best[parent] = best[index];
  }
  const open = new Set();
  const tree = { rows, children, roots, depth, below, best, open, visible: [], chosen: null };
  openFirst(tree);
  return tree;
}

function openFirst(tree) {
  tree.open.clear();
  tree.rows.forEach((row, index) => {
    if (tree.rows.length <= SMALL || row.on_path || row.parent === null) tree.open.add(index);
  });
}

/** Fills `visible` in the order of the rows: all whose ancestors are open, or those of `wanted` with their ancestors. */
function arrange(tree, wanted) {
  let keep = null;
  if (wanted) {
    keep = new Set();
    tree.rows.forEach((row, index) => {
      if (!wanted(row)) return;
      for (let at = index; at !== null && !keep.has(at); at = tree.rows[at].parent) keep.add(at);
    });
  }
  tree.visible = [];
  let deepest = 1;
  const left = [...tree.roots].reverse();
  while (left.length) {
    const row = left.pop();
    if (keep && !keep.has(row)) continue;
    tree.visible.push(row);
    deepest = Math.max(deepest, tree.depth[row]);
    if (keep || tree.open.has(row)) for (let i = tree.children[row].length - 1; i >= 0; i--) left.push(tree.children[row][i]);
  }
  tree.indent = Math.max(2, Math.min(14, INDENT / deepest));
}

function rowElement(tree, index, place, filtered) {
  const row = tree.rows[index], classes = ["row", row.state];
  if (row.on_path) classes.push("path");
  if (tree.chosen === index) classes.push("chosen");
  const made = element("div", classes.join(" "));
  made.setAttribute("role", "treeitem");
  made.style.top = `${place * ROW}px`;
  made.dataset.row = index;
  const guide = element("span", tree.indent < 6 ? "guide plain" : "guide");
  guide.style.width = `${Math.min(tree.depth[index] * tree.indent, INDENT)}px`;
  const closed = !filtered && tree.children[index].length && !tree.open.has(index);
  const twist = !tree.children[index].length || filtered ? "" : closed ? "\u25b8" : "\u25be";
  add(made, guide, element("span", "twist", twist), element("span", `dot ${row.state}`), element("span", "name", row.name));
  add(made, element("span", "move", row.move));
  if (row.score !== null && row.state !== "answered") {
    const bar = element("span", "bar"), fill = element("i", row.state);
    fill.style.width = `${100 * Math.max(0, Math.min(1, row.score))}%`;
    add(made, add(bar, fill));
  }
  add(made, element("span", "says", row.says));
  if (row.back) add(made, element("span", "back", `\u21a9 ${row.back}`));
  if (closed) {
    const best = tree.best[index] === null ? "" : `, best ${Math.round(100 * tree.best[index])} %`;
    add(made, element("span", "hidden", `${count(tree.below[index])} below${best}`));
  }
  if (row.state !== "task") add(made, element("span", "cost", `${count(row.tokens)} tok \u00b7 ${seconds(row.at)}`));
  made.title = shown([row.move, row.says, row.back].filter(Boolean).join(" \u2014 "));
  return made;
}
