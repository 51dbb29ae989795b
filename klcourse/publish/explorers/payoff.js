// The constrained game as four cells with arrows: who gains by which move. Numbers come from payoff.py.
(() => {
  const { build, svg, tables, text } = Explorer;
  const root = document.getElementById("payoff"), data = tables(root);
  const { lam: LAM, c: C, beta: BETA } = data.controls;
  const ROWS = ["I < c", "I ≥ c"], COLUMNS = ["q = p", "q ≠ p"];
  const cells = [[0, 0], [0, 1], [1, 0], [1, 1]], at = ([i, j]) => [230 + 230 * j, 105 + 150 * i];
  const moves = [["A", 0, 2], ["A", 1, 3], ["B", 0, 1], ["B", 2, 3]];

  const picture = svg("svg", { viewBox: "0 0 600 340", role: "img" });
  COLUMNS.forEach((name, j) => picture.append(svg("text", { class: "b", x: 230 + 230 * j, y: 34, "text-anchor": "middle" }, `B: ${name}`)));
  ROWS.forEach((name, i) => picture.append(svg("text", { class: "a", x: 12, y: 110 + 150 * i }, `A: ${name}`)));
  picture.append(svg("text", { class: "tick", x: 230, y: 320, "text-anchor": "middle" }, "the article's target"));
  const shown = cells.map(cell => {
    const [x, y] = at(cell), box = svg("rect", { x: x - 74, y: y - 44, width: 148, height: 88 });
    const pay = svg("text", { class: "pay", x, y: y + 3, "text-anchor": "middle" }), note = svg("text", { class: "tick", x, y: y + 28, "text-anchor": "middle" });
    picture.append(box, pay, note);
    return { box, pay, note };
  });
  const arrows = moves.map(([player, one, two]) => {
    const arrow = svg("path", { class: `arrow ${player.toLowerCase()}` }), gain = svg("text", { class: player.toLowerCase() });
    const [[x, y], [u, v]] = [at(cells[one]), at(cells[two])];
    gain.setAttribute("x", player === "A" ? x + 12 : (x + u) / 2); gain.setAttribute("y", player === "A" ? (y + v) / 2 + 5 : y - 12);
    if (player === "B") gain.setAttribute("text-anchor", "middle");
    picture.append(arrow, gain);
    return { player, x, y, u, v, arrow, gain };
  });

  const index = (value, [first, , step]) => Math.round((value - first) / step);
  const state = ({ game, lam, c, beta }) => {
    const [, cs, betas] = data.shape;
    return data.states[game][(index(lam, LAM) * cs + index(c, C)) * betas + index(beta, BETA)];
  };
  root.state = state;

  function draw(values) {
    const [payoffs, marks, gains] = state(values);
    const name = k => `(${ROWS[cells[k][0]]}, ${COLUMNS[cells[k][1]]})`;
    shown.forEach(({ box, pay, note }, k) => {
      box.setAttribute("class", { e: "equilibrium", w: "equilibrium weak", x: "empty", "-": "cell" }[marks[k]]);
      pay.textContent = marks[k] === "x" ? "" : text(payoffs[k]);
      note.textContent = { e: "equilibrium", w: "weak equilibrium", x: "empty: no such model", "-": "" }[marks[k]];
    });
    arrows.forEach(({ player, x, y, u, v, arrow, gain }, k) => {
      const g = gains[k], on = g !== null && g !== 0;
      gain.textContent = g === null ? "" : g === 0 ? `${player}: tie` : `+${text(Math.abs(g))}`;
      arrow.setAttribute("visibility", on ? "visible" : "hidden");
      if (!on) return;
      const s = Math.sign(g), [a, b] = player === "A" ? [y + 47, v - 47] : [x + 77, u - 77], [from, to] = s > 0 ? [a, b] : [b, a];
      const head = to - 9 * s;
      arrow.setAttribute("d", player === "A" ? `M${x},${from}V${to}M${x - 7},${head}L${x},${to}L${x + 7},${head}` : `M${from},${y}H${to}M${head},${y - 7}L${to},${y}L${head},${y + 7}`);
    });
    const found = [0, 1, 2, 3].filter(k => "ew".includes(marks[k])).map(k => name(k) + (marks[k] === "w" ? ", weak" : ""));
    const leave = [["A", gains[0], -1], ["B", gains[3], 1]].filter(([, g, s]) => g !== null && g * s > 0).map(([player]) => player);
    const target = marks[2] === "x" ? "does not exist: q = p makes I = 0, as the model reads it" : leave.length ? `${leave.join(" and ")} leave${leave.length === 1 ? "s" : ""} it` : "nobody leaves it";
    const words = `Payoffs ${[0, 1, 2, 3].map(k => marks[k] === "x" ? "empty" : text(payoffs[k])).join(", ")}. Equilibria: ${found.join("; ") || "none"}. The article's target ${name(2)}: ${target}.`;
    picture.setAttribute("aria-label", `A game of decoder A, rows, and encoder B, columns. ${words}`);
    return words;
  }

  build(root, picture, {
    game: { label: "constraint", options: Object.keys(data.states), value: Object.keys(data.states)[0] },
    lam: { label: "penalty weight λ", range: LAM, digits: 1, value: 4 },
    c: { label: "target c", unit: "nats", range: C, digits: 1, value: 0.5 },
    beta: { label: "weight β of the rate", range: BETA, digits: 2, value: 1 },
  }, draw);
})();
