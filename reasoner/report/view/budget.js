// Tokens over time: the line is what was spent, a dot is a node that came to its end, dashes are the bound.

function budgetChart(overview, choose) {
  const place = document.getElementById("budget");
  const canvas = add(place, element("canvas")).lastChild;
  const points = overview.spending, bound = overview.bounds.tokens;
  const last = points.length ? points[points.length - 1] : [0, 0];
  const most = { x: Math.max(last[0], 1e-9), y: Math.max(last[1], 1) };
  const left = 58, bottom = 20, top = 12, right = 16;
  const dots = overview.rows.map((row, index) => ({ row, index })).filter((dot) => dot.row.state !== "task");

  function spent(at) {
    let low = 0, high = points.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (points[middle][0] <= at) low = middle; else high = middle - 1;
    }
    return points.length ? points[low][1] : 0;
  }

  function draw() {
    const { pen, width, height } = fresh(canvas);
    const high = bound && bound < most.y * 4 ? Math.max(most.y, bound) : most.y;
    const x = (at) => left + (at / most.x) * (width - left - right);
    const y = (tokens) => height - bottom - (tokens / high) * (height - bottom - top);
    pen.font = "11px system-ui, sans-serif";
    pen.fillStyle = "#5b6472";
    pen.textAlign = "right";
    pen.fillText(short(high), left - 6, top + 8);
    pen.fillText("tokens", left - 6, top + 22);
    pen.fillText("0", left - 6, height - bottom);
    pen.fillText(seconds(most.x), width - right, height - 5);
    pen.textAlign = "left";
    pen.fillText("0 s", left, height - 5);
    pen.strokeStyle = "#e3e6eb";
    pen.strokeRect(left, top, width - left - right, height - bottom - top);
    if (bound && bound <= high) {
      pen.setLineDash([5, 4]);
      pen.strokeStyle = "#c8553d";
      pen.beginPath(); pen.moveTo(left, y(bound)); pen.lineTo(width - right, y(bound)); pen.stroke();
      pen.setLineDash([]);
      pen.fillStyle = "#c8553d";
      pen.fillText(`budget ${count(bound)}`, left + 6, y(bound) + 13);
    }
    pen.strokeStyle = "#0b6bcb";
    pen.lineWidth = 1.6;
    pen.beginPath();
    points.forEach(([at, tokens], i) => (i ? pen.lineTo(x(at), y(tokens)) : pen.moveTo(x(at), y(tokens))));
    pen.stroke();
    const radius = dots.length > 400 ? 2 : 4;
    for (const dot of dots) {
      dot.x = x(dot.row.at);
      dot.y = y(spent(dot.row.at));
      pen.fillStyle = COLOURS[dot.row.state];
      pen.beginPath(); pen.arc(dot.x, dot.y, radius, 0, 7); pen.fill();
    }
  }

  canvas.addEventListener("click", (event) => {
    const far = (dot) => Math.hypot(dot.x - event.offsetX, dot.y - event.offsetY);
    const near = dots.reduce((best, dot) => (best === null || far(dot) < far(best) ? dot : best), null);
    if (near) choose(near.index);
  });
  return draw;
}

function seconds(value) {
  if (value < 120) return `${value.toFixed(1)} s`;
  return value < 7200 ? `${(value / 60).toFixed(1)} min` : `${(value / 3600).toFixed(1)} h`;
}
