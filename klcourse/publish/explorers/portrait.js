// The phase portrait: payoff over the gains of decoder and encoder, best replies, and gradient descent from six starts.
// The model is the linear-Gaussian VAE with σ² = 1; its numbers (w, b, v, m, log s²) descend as in klcourse.exact.dynamics.
(() => {
  const { build, html, svg, tables, text } = Explorer;
  const root = document.getElementById("portrait"), data = tables(root);
  const WIDTH = 1.3, EDGE = 0.985, TOP = 2.2;

  // Rate, information and the gradients of distortion, rate and information, for data of mean 0 and variance L.
  function gradients([w, b, v, m, logS2], L) {
    const s2 = Math.exp(logS2), miss = 1 - w * v, offset = b + w * m, cross = miss * L, total = v * v * L + s2;
    return {
      rate: 0.5 * (v * v * L + m * m + s2 - 1 - logS2), mi: 0.5 * (Math.log(total) - logS2),
      dD: [-(v * cross - m * offset) + w * s2, offset, -w * cross, w * offset, 0.5 * w * w * s2],
      dR: [0, 0, v * L, m, 0.5 * (s2 - 1)], dI: [0, 0, v * L / total, 0, -0.5 * v * v * L / total],
    };
  }

  // One run: the records [w, v, R, I]. Where a hinge is held, descent chatters across the kink: means over blocks of steps.
  function descend([w0, v0], { data_var: L, beta, hinge, lam, c }) {
    const root = Math.sqrt(L), on = hinge === "off" ? 0 : lam, kind = data.hinges[hinge], blocks = [];
    let state = [w0 * root, 0, v0 / root, data.shift, Math.log(1 - v0 * v0)];
    const all = [state];
    for (let step = 0; step < data.steps; step++) {
      const g = gradients(state, L), bought = kind === "mi" ? g.mi : g.rate, d = kind === "mi" ? g.dI : g.dR;
      const price = bought < c ? on : 0;
      state = state.map((value, k) => value - data.lr * (g.dD[k] + beta * g.dR[k] - price * d[k]));
      all.push(state);
    }
    const mean = list => [0, 1, 2, 3, 4].map(k => list.reduce((sum, one) => sum + (k === 4 ? Math.exp(one[4]) : one[k]), 0) / list.length);
    const first = 2 * data.block + 1;
    for (const one of all.slice(0, first)) blocks.push(mean([one]));
    for (let k = first; k < all.length; k += data.block) blocks.push(mean(all.slice(k, k + data.block)));
    return blocks.map(([w, b, v, m, s2]) => {
      const g = gradients([w, b, v, m, Math.log(s2)], L);
      return [w / root, v * root, g.rate, g.mi];
    });
  }

  // Payoff minus that of collapse at gains (w, v) of the plane, with s² such that q(z) = p(z); there R = I.
  function gain(w, v, { data_var: L, beta, hinge, lam, c }) {
    const rate = -0.5 * Math.log1p(-v * v), miss = 1 - w * v;
    const payoff = 0.5 * L - 0.5 * (L * miss * miss + w * w * L * (1 - v * v)) - beta * rate;
    return payoff + (hinge === "off" ? 0 : lam * Math.min(rate, c));
  }

  function reply(w, { data_var: L, beta, hinge, lam, c }) {
    const price = hinge === "off" ? 0 : lam, corner = Math.sqrt(-Math.expm1(-2 * (hinge === "off" ? 0 : c)));
    const stationary = level => { const pull = 2 * L * w; return pull / (level + Math.sqrt(level * level + pull * pull)); };
    const free = stationary(beta);
    if (Math.abs(free) >= corner) return free;
    if (price < beta) { const held = stationary(beta - price); return Math.abs(held) < corner ? held : Math.sign(w) * corner; }
    return w === 0 ? NaN : Math.sign(w) * corner;
  }

  function verdict({ data_var: L, beta, hinge, lam }) {
    const on = hinge === "off" ? 0 : lam, kappa = on - beta;
    const grows = 0.5 * (kappa * L - 1 + Math.sqrt((kappa * L + 1) ** 2 + 4 * L * L));
    const shift = data.hinges[hinge] === "mi" ? -beta : kappa;
    if (on > beta) return `Collapse is no equilibrium: λ > β. The fastest way out is the ${shift > grows ? "shift: waste" : "gain: information"}.`;
    const kind = Math.abs(on - beta) < 1e-9 ? "a weak equilibrium" : "a strict equilibrium", level = on ? "β − λ" : "β";
    return grows > 1e-12 ? `Collapse is ${kind}, yet a saddle: Λ > ${level}.` : `Collapse is ${kind} and stable: Λ ≤ ${level}.`;
  }

  root.state = values => {
    const ends = data.starts.map(start => descend(start, values).at(-1));
    return { verdict: verdict(values), rates: ends.map(end => end[2]), mis: ends.map(end => end[3]), gain: gain(0.7, 0.5, values), reply: reply(0.4, values) };
  };

  function frame(label, xs, ys, xname, yname, ticks) {
    const W = 430, H = 380, [left, right, top, bottom] = [52, 12, 12, 46];
    const x = v => left + (v - xs[0]) / (xs[1] - xs[0]) * (W - left - right), y = v => H - bottom - (v - ys[0]) / (ys[1] - ys[0]) * (H - top - bottom);
    const picture = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": label });
    const inside = svg("svg", { x: left, y: top, width: W - left - right, height: H - top - bottom, viewBox: `${left} ${top} ${W - left - right} ${H - top - bottom}` });
    picture.append(inside, svg("path", { class: "axis", d: `M${left},${top}V${H - bottom}H${W - right}` }));
    for (const v of ticks) {
      if (v >= xs[0] && v <= xs[1]) picture.append(svg("text", { class: "tick", x: x(v), y: H - bottom + 18, "text-anchor": "middle" }, text(v, 0)));
      if (v >= ys[0] && v <= ys[1]) picture.append(svg("text", { class: "tick", x: left - 8, y: y(v) + 4, "text-anchor": "end" }, text(v, 0)));
    }
    const middle = (top + H - bottom) / 2;
    picture.append(svg("text", { x: (left + W - right) / 2, y: H - 6, "text-anchor": "middle" }, xname), svg("text", { x: 14, y: middle, "text-anchor": "middle", transform: `rotate(-90 14 ${middle})` }, yname));
    return { picture, inside, x, y, left, top, width: W - left - right, height: H - top - bottom };
  }
  const gains = frame("", [-WIDTH, WIDTH], [-WIDTH, WIDTH], "decoder gain w / √Λ", "encoder gain v √Λ", [-1, 0, 1]);
  const nats = frame("", [0, TOP], [0, TOP], "rate R [nats]", "information I [nats]", [0, 1, 2]);
  const paths = ps => "M" + ps.map(([a, b]) => `${a.toFixed(1)},${b.toFixed(1)}`).join("L");

  const SHADES = ["#8f8f8f", "#a6a6a6", "#bababa", "#cecece", "#e0e0e0", "#f2f2f2", "#fff4cf", "#ffe9a3", "#fbd872", "#f2c14e", "#e0a526"];
  const canvas = html("canvas", { width: 130, height: 130 }), shade = svg("image", { x: gains.left, y: gains.top, width: gains.width, height: gains.height, preserveAspectRatio: "none" });
  const ownReply = svg("path", { class: "line a dashed" }), theirReply = svg("path", { class: "line b" });
  gains.inside.append(svg("rect", { class: "paper", x: gains.left, y: gains.top, width: gains.width, height: gains.height }), shade, ownReply, theirReply);
  nats.inside.append(svg("path", { class: "zero", d: paths([[nats.x(0), nats.y(0)], [nats.x(TOP), nats.y(TOP)]]) }));
  nats.inside.append(svg("text", { class: "tick", x: nats.x(0.06), y: nats.y(2.05) }, "above the diagonal: impossible"));
  const target = svg("path", { class: "target" }), runs = [[], []];
  nats.inside.append(target);
  for (const side of [0, 1]) for (let k = 0; k < data.starts.length; k++) {
    const run = svg("path", { class: `run ${k < 4 ? "near" : "far"}` }), dot = svg("circle", { class: "dot", r: side ? 5 : 4 });
    (side ? nats : gains).inside.append(run, dot);
    runs[side].push({ run, dot });
  }
  const cross = `M${gains.x(0) - 7},${gains.y(0) - 7}L${gains.x(0) + 7},${gains.y(0) + 7}M${gains.x(0) + 7},${gains.y(0) - 7}L${gains.x(0) - 7},${gains.y(0) + 7}`;
  gains.inside.append(svg("path", { class: "cross", d: cross }));
  gains.inside.append(svg("text", { class: "own", x: gains.left + 8, y: gains.top + 18 }, "A replies (dashed)"), svg("text", { class: "their", x: gains.left + 8, y: gains.top + 36 }, "B replies"));

  function paint(values) {
    const n = canvas.width, context = canvas.getContext("2d"), image = context.createImageData(n, n);
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) {
      const w = -WIDTH + (j + 0.5) * 2 * WIDTH / n, v = WIDTH - (i + 0.5) * 2 * WIDTH / n, at = 4 * (i * n + j);
      if (Math.abs(v) > EDGE) continue;
      const g = gain(w, v, values), shade = parseInt(SHADES[data.levels.filter(level => g >= level).length].slice(1), 16);
      image.data.set([shade >> 16, shade >> 8 & 255, shade & 255, 255], at);
    }
    context.putImageData(image, 0, 0);
    shade.setAttribute("href", canvas.toDataURL());
  }

  function draw(values) {
    paint(values);
    const line = Array.from({ length: 261 }, (_, k) => -WIDTH + k * 2 * WIDTH / 260);
    ownReply.setAttribute("d", paths(line.map(v => [gains.x(v), gains.y(v)])));
    const halves = [line.filter(w => w < -1e-9), line.filter(w => w > 1e-9)].map(ws => ws.map(w => [gains.x(w), gains.y(reply(w, values))]));
    theirReply.setAttribute("d", values.hinge !== "off" && values.lam >= values.beta ? halves.map(paths).join("") : paths(halves.flat()));
    const found = data.starts.map(start => descend(start, values));
    found.forEach((records, k) => {
      const [w, v] = records[0], [, , rate, mi] = records.at(-1);
      runs[0][k].run.setAttribute("d", paths(records.map(([w, v]) => [gains.x(w), gains.y(v)])));
      runs[0][k].dot.setAttribute("cx", gains.x(w)); runs[0][k].dot.setAttribute("cy", gains.y(v));
      runs[1][k].run.setAttribute("d", paths(records.map(([, , r, i]) => [nats.x(r), nats.y(i)])));
      runs[1][k].dot.setAttribute("cx", nats.x(rate)); runs[1][k].dot.setAttribute("cy", nats.y(mi));
    });
    const { c, hinge } = values, [x, y] = [nats.x(c), nats.y(c)];
    target.setAttribute("visibility", hinge === "off" ? "hidden" : "visible");
    target.setAttribute("d", data.hinges[hinge] === "rate" ? `M${x},${nats.y(0)}V${y}` : `M${x},${y}H${nats.x(TOP)}`);
    const [, , rate, mi] = found[0].at(-1);
    const words = `${verdict(values)} The first run ends at R = ${text(rate)}, I = ${text(Math.abs(mi))} nats.`;
    gains.picture.setAttribute("aria-label", `Payoff over the gains of decoder and encoder, best replies, and six runs of gradient descent. ${words}`);
    nats.picture.setAttribute("aria-label", `The same runs, rate against information. ${words}`);
    return words;
  }

  const pictures = html("div", { class: "pictures" });
  pictures.append(gains.picture, nats.picture);
  const { data_var: LAMBDA, beta: BETA, lam: LAM, c: C } = data.controls;
  build(root, pictures, {
    data_var: { label: "data variance Λ", range: LAMBDA, digits: 2, value: 3 },
    beta: { label: "weight β of the rate", range: BETA, digits: 2, value: 1 },
    hinge: { label: "hinge", options: Object.keys(data.hinges), value: "off" },
    lam: { label: "penalty weight λ", range: LAM, digits: 2, value: 2 },
    c: { label: "target c", unit: "nats", range: C, digits: 2, value: 1 },
  }, draw);
})();
