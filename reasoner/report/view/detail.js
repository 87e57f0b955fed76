// One node: its verdicts, its steps with code and tests, and the tokens when they are asked for.

const TOKENS = 4000; // so many are shown at once

function showDetail(tree, index) {
  const place = document.getElementById("detail"), row = tree.rows[index];
  place.replaceChildren();
  place.scrollTop = 0;
  add(place, add(element("h2"), element("span", `dot ${row.state}`), element("span", "", `${row.name} ${row.move}`)));
  const facts = [row.back, `${plural(row.tokens, "computed token")}`, `after ${seconds(row.at)}`];
  add(place, element("div", "soft", facts.filter(Boolean).join(" \u00b7 ")));
  if (!document.getElementById(`n${index}`)) {
    add(place, element("p", "soft", `This branch was cut short: ${row.says}. Its tokens were charged and are not kept.`));
    return;
  }
  const found = block(`n${index}`);
  if (found.verdicts.length) add(place, verdicts(found.verdicts));
  for (const step of found.steps) add(place, ...stepParts(step));
  add(place, element("h3", "", "Cost"), pairs({ ...found.cost, ...found.sampling }));
}

function verdicts(found) {
  const table = element("table");
  for (const [source, score, says, key] of found) {
    const said = [says, key && key !== says ? `answer ${key}` : ""].filter(Boolean).join(", ");
    add(table, add(element("tr"), element("td", "soft", source), element("td", "number", score), element("td", "", said)));
  }
  return table;
}

function pairs(values) {
  const table = element("table");
  for (const [name, value] of Object.entries(values)) {
    add(table, add(element("tr"), element("td", "soft", name.replaceAll("_", " ")), element("td", "", value)));
  }
  return table;
}

function stepParts(step) {
  const title = add(element("h3"), element("span", "", step.kind + (step.tool ? ` \u2014 ${step.tool}` : "")));
  const total = step.spans.reduce((sum, span) => sum + span.t.length, 0);
  const parts = [title];
  if (step.code) parts.push(element("pre", "code", step.code));
  if (step.result) parts.push(...resultParts(step.result));
  if (step.text && step.result) parts.push(folded("as the model reads it", element("pre", "", step.text)));
  else if (step.text) parts.push(element("pre", "", step.text));
  if (total) {
    const button = add(title, element("button", "", plural(total, "token"))).lastChild;
    let tokens = null;
    button.addEventListener("click", () => {
      if (tokens) { tokens.remove(); tokens = null; }
      else title.after(tokens = tokensOf(step.spans));
      button.setAttribute("aria-pressed", String(tokens !== null));
    });
  }
  return parts;
}

function resultParts(result) {
  const parts = [];
  if (result.tests) {
    const passed = result.tests.filter((test) => test[1] === "passed"), others = result.tests.filter((test) => test[1] !== "passed");
    parts.push(element("div", "", `${passed.length} of ${plural(result.tests.length, "test")} passed`));
    for (const [name, outcome, message] of others) {
      const made = folded(`${outcome}: ${name}`, element("pre", "", message || "no message"));
      made.firstChild.className = "failed";
      parts.push(made);
    }
    if (passed.length) {
      const made = folded(`${passed.length} passed`, element("pre", "", passed.map((test) => test[0]).join("\n")));
      made.firstChild.className = "passed";
      parts.push(made);
    }
    if (result.failure) parts.push(element("pre", "error", result.failure));
  }
  if (result.output) parts.push(element("pre", "", result.output));
  if (result.value) parts.push(element("pre", "", result.value));
  if (result.error) parts.push(element("pre", "error", [result.error, result.detail].filter(Boolean).join(": ")));
  return parts;
}

function folded(summary, content) {
  return add(element("details"), element("summary", "", summary), content);
}

/** Tokens in their order: grey were forced, the rest are the redder the less likely they were. */
function tokensOf(spans) {
  const place = element("pre", "tokens");
  let left = TOKENS;
  for (const span of spans) {
    span.t.slice(0, left).forEach((text, i) => {
      const made = element("span", span.s ? "token" : "token forced", text.replaceAll("\n", "\u21b5\n") || "\u00b7");
      if (i < span.p.length) {
        const likely = Math.exp(span.p[i] / 100);
        if (span.s) made.style.backgroundColor = `rgba(200, 85, 61, ${(0.75 * (1 - likely)).toFixed(3)})`;
        made.title = `p = ${likely.toPrecision(3)}, log p = ${(span.p[i] / 100).toFixed(2)}`;
      } else made.title = span.s ? "sampled, likelihood unknown" : "forced";
      place.append(made);
    });
    left -= Math.min(left, span.t.length);
  }
  if (!left) add(place, element("span", "soft", " \u2026 the rest is left out"));
  return place;
}
