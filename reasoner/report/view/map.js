// The whole tree beside the rows: a place for every row, however many there are; what is in sight is tinted.

function treeMap(tree, list) {
  const canvas = document.getElementById("map");

  function scale(height) {
    const all = tree.visible.length * ROW;
    return all <= height ? 1 : height / all;
  }

  function draw() {
    const { pen, width, height } = fresh(canvas);
    const by = scale(height), visible = tree.visible;
    const deepest = visible.reduce((most, row) => Math.max(most, tree.depth[row]), 1);
    const step = Math.min(18, (width - 20) / deepest);
    const offset = by === 1 ? list.scrollTop : 0;
    const x = (row) => 10 + tree.depth[row] * step;
    const y = (place) => (place + 0.5) * ROW * by - offset;
    if (by < 1) {
      pen.fillStyle = "#e6effa";
      pen.fillRect(0, list.scrollTop * by, width, Math.max(3, list.clientHeight * by));
    }
    const places = new Map(visible.map((row, place) => [row, place]));
    for (const onPath of [false, true]) {
      pen.strokeStyle = onPath ? "#0b6bcb" : "#cfd5dd";
      pen.lineWidth = onPath ? 2 : 1;
      pen.beginPath();
      visible.forEach((row, place) => {
        const above = tree.rows[row].parent;
        if (above === null || !places.has(above) || tree.rows[row].on_path !== onPath) return;
        pen.moveTo(x(above), y(places.get(above)));
        pen.lineTo(x(above), y(place));
        pen.lineTo(x(row), y(place));
      });
      pen.stroke();
    }
    const radius = Math.max(1, Math.min(5, ROW * by));
    visible.forEach((row, place) => {
      pen.fillStyle = COLOURS[tree.rows[row].state];
      if (by > 0.15) {
        pen.beginPath(); pen.arc(x(row), y(place), radius, 0, 7); pen.fill();
      } else {
        pen.fillRect(x(row) - 1, y(place) - 0.5, 3, 1);
      }
    });
  }

  function go(event) {
    const by = scale(canvas.clientHeight);
    if (by < 1) list.scrollTop = event.offsetY / by - list.clientHeight / 2;
    else if (event.type === "click") {
      const row = tree.visible[Math.floor((event.offsetY + list.scrollTop) / ROW)];
      if (row !== undefined) tree.choose(row);
    }
  }
  canvas.addEventListener("click", go);
  canvas.addEventListener("mousemove", (event) => event.buttons === 1 && go(event));
  return draw;
}
