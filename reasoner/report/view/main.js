// Puts the parts together: what is chosen, what is open, what is searched for.

const overview = block("overview");
const tree = makeTree(overview.rows);
const list = document.getElementById("rows"), tall = document.getElementById("tall");
let wanted = null;

function header() {
  add(document.getElementById("title"), element("span", "", overview.task), element("span", `chip ${overview.status}`, overview.status));
  const facts = document.getElementById("facts");
  const nodes = overview.rows.filter((row) => row.state !== "dropped").length;
  const bound = overview.bounds.tokens ? ` of ${count(overview.bounds.tokens)}` : "";
  for (const [name, value] of [
    ["", overview.reason], ["answer ", overview.answer], ["", `${count(overview.tokens)}${bound} tokens`],
    ["", seconds(overview.seconds)], ["", plural(nodes, "node")], ["strategy ", overview.strategy],
    ["", overview.core], ["sandbox ", overview.level], ["seed ", overview.seed],
    ["", overview.cut ? "its last line was cut off" : ""],
  ]) if (value !== "") add(facts, add(element("span", "", name), element("b", "", value)));
}

function draw() {
  const first = Math.max(0, Math.floor(list.scrollTop / ROW) - 5);
  const end = Math.min(tree.visible.length, first + Math.ceil(list.clientHeight / ROW) + 10);
  tall.style.height = `${tree.visible.length * ROW}px`;
  tall.style.setProperty("--indent", `${tree.indent}px`);
  const made = [];
  for (let place = first; place < end; place++) made.push(rowElement(tree, tree.visible[place], place, wanted));
  tall.replaceChildren(...made);
  drawMap();
}

function rearrange() {
  arrange(tree, wanted);
  draw();
}

tree.choose = (index) => {
  tree.chosen = index;
  for (let at = tree.rows[index].parent; at !== null; at = tree.rows[at].parent) tree.open.add(at);
  arrange(tree, wanted);
  tall.style.height = `${tree.visible.length * ROW}px`;
  const place = tree.visible.indexOf(index) * ROW;
  if (place >= 0 && (place < list.scrollTop || place > list.scrollTop + list.clientHeight - 2 * ROW)) {
    list.scrollTop = place - list.clientHeight / 2;
  }
  draw();
  showDetail(tree, index);
};

function twist(index, open) {
  if (open) tree.open.add(index); else tree.open.delete(index);
  rearrange();
}

list.addEventListener("scroll", () => requestAnimationFrame(draw));
tall.addEventListener("click", (event) => {
  const row = event.target.closest(".row");
  if (!row) return;
  const index = Number(row.dataset.row);
  if (event.target.className === "twist" && !wanted) twist(index, !tree.open.has(index));
  else tree.choose(index);
});
list.addEventListener("keydown", (event) => {
  const place = tree.visible.indexOf(tree.chosen);
  const next = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: tree.visible.length - 1 }[event.key];
  if (next !== undefined && tree.visible[next] !== undefined) tree.choose(tree.visible[next]);
  else if (event.key === "ArrowRight") twist(tree.chosen, true);
  else if (event.key === "ArrowLeft") twist(tree.chosen, false);
  else return;
  event.preventDefault();
});

const search = document.getElementById("search");
const filters = [
  ["all", () => { search.value = ""; wanted = null; openFirst(tree); }],
  ["path", () => { search.value = ""; wanted = (row) => row.on_path; }],
  ["solved", () => { search.value = ""; wanted = (row) => row.state === "solved"; }],
  ["steps back", () => { search.value = ""; wanted = (row) => row.back !== ""; }],
  ["open all", () => { search.value = ""; wanted = null; tree.rows.forEach((_, index) => tree.open.add(index)); }],
];
for (const [name, apply] of filters) {
  const button = element("button", "", name);
  button.addEventListener("click", () => { apply(); list.scrollTop = 0; rearrange(); });
  document.getElementById("filters").append(button);
}
search.addEventListener("input", () => {
  const words = search.value.toLowerCase();
  const text = (row) => `${row.name} ${row.move} ${row.state} ${row.says} ${row.back}`.toLowerCase();
  wanted = words ? (row) => text(row).includes(words) : null;
  list.scrollTop = 0;
  rearrange();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== search) { search.focus(); event.preventDefault(); }
});

header();
const drawMap = treeMap(tree, list);
const drawBudget = budgetChart(overview, tree.choose);
arrange(tree, null);
drawBudget();
window.addEventListener("resize", () => { drawBudget(); draw(); });
const answer = overview.rows.reduce((last, row, index) => (row.on_path ? index : last), 0);
if (overview.rows.length) tree.choose(answer);
document.documentElement.dataset.readyMs = Math.round(performance.now()); // since the page was asked for
