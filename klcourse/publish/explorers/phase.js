// The map of regimes over c and λ, and beside it what one more nat of rate buys and costs. Numbers come from phase.py.
(() => {
  const { build, html, svg, tables, text } = Explorer;
  const root = document.getElementById("phase"), data = tables(root);
  const { lam: LAM, c: C, beta: BETA } = data.controls, TOP = 10, STEP = LAM[2];
  const MEANING = {
    inactive: "the rate is above c anyway", held: "the rate rests at c",
    partial: "a rate between 0 and c", collapsed: "no rate at all",
  };
  const SHAPES = { inactive: "M0,-9L9,7L-9,7Z", held: "M-8,-8H8V8H-8Z", partial: "M-9,0a9,9 0 1,0 18,0a9,9 0 1,0 -18,0Z",
                   collapsed: "M-9,-5L-5,-9L0,-4L5,-9L9,-5L4,0L9,5L5,9L0,4L-5,9L-9,5L-4,0Z" };

  // Everything the page says about a point; the same words and numbers as klcourse.exact.regimes.
  function state({ lam, c, beta }) {
    const [, average, slope] = data.targets[Math.round((c - C[0]) / C[2])];
    const held = beta - slope, unstable = beta - data.origin;
    const regime = held <= 0 ? "inactive" : lam >= held ? "held" : lam > unstable ? "partial" : "collapsed";
    const price = regime === "inactive" ? beta : beta - lam;  // of a nat where training rests freely
    const rate = regime === "held" ? c : regime === "collapsed" ? 0 : data.rates[Math.round(price / STEP)];
    return { regime, rate, like: regime === "held" ? slope : price, unstable, beats: beta - average, held };
  }
  root.state = state;  // for those who test it

  // A plane with axes: x and y turn numbers into places.
  function plane(label, xs, ys, xname, yname) {
    const W = 460, H = 330, [left, right, top, bottom] = [46, 14, 14, 44];
    const x = v => left + (v - xs[0]) / (xs[1] - xs[0]) * (W - left - right);
    const y = v => H - bottom - (v - ys[0]) / (ys[1] - ys[0]) * (H - top - bottom);
    const picture = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": label });
    const inside = svg("svg", { x: left, y: top, width: W - left - right, height: H - top - bottom, viewBox: `${left} ${top} ${W - left - right} ${H - top - bottom}` });
    picture.append(inside, svg("path", { class: "axis", d: `M${left},${top}V${H - bottom}H${W - right}` }));
    for (let v = xs[0]; v <= xs[1]; v += 2) picture.append(svg("text", { class: "tick", x: x(v), y: H - bottom + 17, "text-anchor": "middle" }, text(v, 0)));
    for (let v = Math.ceil(ys[0]); v <= ys[1]; v++) picture.append(svg("text", { class: "tick", x: left - 8, y: y(v) + 4, "text-anchor": "end" }, text(v, 0)));
    picture.append(svg("text", { x: (left + W - right) / 2, y: H - 6, "text-anchor": "middle" }, xname));
    if (yname) picture.append(svg("text", { x: 14, y: (top + H - bottom) / 2, "text-anchor": "middle", transform: `rotate(-90 14 ${(top + H - bottom) / 2})` }, yname));
    return { picture, inside, x, y, left, right, top, bottom, W, H };
  }

  const map = plane("", [0, C[1]], [0, LAM[1]], "target c [nats]", "penalty weight λ");
  const value = plane("", [0, TOP], [-1, LAM[1]], "rate R [nats]", "");
  const line = (points, to) => "M" + points.map(([a, b]) => `${to.x(a).toFixed(1)},${to.y(b).toFixed(1)}`).join("L");
  const fills = {}, names = {}, limits = {}, labels = {};
  const LIMITS = { unstable: "β − s(0)", beats: "R = c beats R = 0", held: "λ*(c)", beta: "β" };
  for (const regime of Object.keys(MEANING)) {
    map.inside.append(fills[regime] = svg("path", { class: `regime ${regime}` }));
    map.inside.append(names[regime] = svg("text", { class: "name", "text-anchor": "middle" }, regime));
  }
  for (const [name, words] of Object.entries(LIMITS)) {
    map.inside.append(limits[name] = svg("path", { class: `limit ${name}` }));
    map.inside.append(labels[name] = svg("text", { class: "tick", x: map.W - map.right - 4, "text-anchor": "end" }, words));
  }
  const here = svg("path", { class: "here" });
  map.inside.append(here);
  const cost = svg("path", { class: "cost" }), stop = svg("path", { class: "here" }), said = svg("text", { class: "name" });
  value.inside.append(svg("path", { class: "zero", d: line([[0, 0], [TOP, 0]], value) }), svg("path", { class: "buys", d: line(data.curve, value) }), cost, stop, said);
  const costs = [svg("text", { class: "price" }, "β − λ"), svg("text", { class: "price", "text-anchor": "end" }, "β")];
  value.inside.append(...costs, svg("text", { x: value.x(3.4), y: value.top + 14 }, "curve: what one more nat buys, s(R)"), svg("text", { class: "price", x: value.x(3.4), y: value.top + 32 }, "steps: what it costs"));

  // Bands between the thresholds, for this β.
  function bands(beta) {
    const clip = v => Math.min(Math.max(v, 0), LAM[1]), low = clip(beta - data.origin);
    const rows = { inactive: [], held: [], partial: [], collapsed: [] };
    for (const [c, , slope] of data.bounds) {
      const held = beta - slope, idle = held <= 0, edge = clip(held);
      rows.inactive.push([c, 0, idle ? LAM[1] : 0]);
      rows.held.push([c, idle ? LAM[1] : edge, LAM[1]]);
      rows.partial.push([c, idle ? 0 : low, edge]);
      rows.collapsed.push([c, 0, idle ? 0 : low]);
    }
    for (const [regime, row] of Object.entries(rows)) {
      fills[regime].setAttribute("d", line([...row.map(([c, a]) => [c, a]), ...row.map(([c, , b]) => [c, b]).reverse()], map) + "Z");
      const open = row.filter(([, a, b]) => b - a > 0.35), [c, a, b] = open[open.length >> 1] ?? [0, 0, 0];
      names[regime].setAttribute("x", Math.min(Math.max(map.x(c), map.left + 44), map.W - map.right - 44));
      names[regime].setAttribute("y", map.y((a + b) / 2) + 5);
      names[regime].setAttribute("visibility", open.length > 12 ? "visible" : "hidden");
    }
    const [, average, slope] = data.bounds.at(-1);
    const ends = { unstable: beta - data.origin, beats: beta - average, held: beta - slope, beta };
    for (const [name, end] of Object.entries(ends)) labels[name].setAttribute("y", map.y(end) + (name === "beats" ? 14 : -4));
    limits.unstable.setAttribute("d", line([[0, beta - data.origin], [C[1], beta - data.origin]], map));
    limits.beta.setAttribute("d", line([[0, beta], [C[1], beta]], map));
    limits.beats.setAttribute("d", line(data.bounds.map(([c, average]) => [c, beta - average]), map));
    limits.held.setAttribute("d", line(data.bounds.map(([c, , slope]) => [c, beta - slope]), map));
  }

  const slopeAt = rate => data.curve.find(([r]) => r >= Math.min(rate, TOP))[1];
  function put(marker, regime, x, y) {
    marker.setAttribute("class", `here ${regime}`);
    marker.setAttribute("d", SHAPES[regime]);
    marker.setAttribute("transform", `translate(${x} ${y})`);
  }

  function draw({ lam, c, beta }) {
    const at = state({ lam, c, beta });
    bands(beta);
    put(here, at.regime, map.x(c), map.y(lam));
    cost.setAttribute("d", line([[0, beta - lam], [c, beta - lam], [c, beta], [TOP, beta]], value));
    costs[0].setAttribute("x", value.x(0.1)); costs[0].setAttribute("y", value.y(beta - lam) + 18);
    costs[1].setAttribute("x", value.x(TOP - 0.1)); costs[1].setAttribute("y", value.y(beta) - 6);
    const y = at.regime === "held" ? slopeAt(c) : at.regime === "collapsed" ? data.origin : at.like;
    put(stop, at.regime, value.x(Math.min(at.rate, TOP)), value.y(y));
    said.textContent = `R = ${text(at.rate)}`;
    said.setAttribute("x", Math.min(value.x(at.rate) + 14, value.W - value.right - 70)); said.setAttribute("y", value.y(y) - 8);
    const words = `λ = ${text(lam)}, c = ${text(c)} nats, β = ${text(beta, 1)}: ${at.regime}, ${MEANING[at.regime]}. R = ${text(at.rate)} nats, `
      + `as in a VAE with β = ${text(at.like)}. At this c: β − s(0) = ${text(at.unstable)}, R = c beats R = 0 from ${text(at.beats)}, λ* = ${text(at.held)}.`;
    map.picture.setAttribute("aria-label", `Map of the regimes over target c and penalty weight λ. ${words}`);
    value.picture.setAttribute("aria-label", `What one more nat of rate buys and costs; training stops at R = ${text(at.rate)} nats.`);
    return words;
  }

  const pictures = html("div", { class: "pictures" });
  pictures.append(map.picture, value.picture);
  const set = build(root, pictures, {
    lam: { label: "penalty weight λ", range: LAM, digits: 2, value: 2 },
    c: { label: "target c", unit: "nats", range: C, digits: 2, value: 4 },
    beta: { label: "weight β of the rate", range: BETA, digits: 1, value: 3 },
  }, draw);
  const near = (v, [first, last, step]) => Math.min(Math.max(first + Math.round((v - first) / step) * step, first), last);
  map.picture.addEventListener("click", event => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(map.picture.getScreenCTM().inverse());
    const c = (point.x - map.left) / (map.W - map.left - map.right) * C[1];
    const lam = (map.H - map.bottom - point.y) / (map.H - map.top - map.bottom) * LAM[1];
    set({ c: near(c, C), lam: near(lam, LAM) });
  });
})();
