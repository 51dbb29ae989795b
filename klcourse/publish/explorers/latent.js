// A decoder with two latents: the codes of test digits, a code to move, and the mean image that the decoder draws from it.
// The images are cut out of one stored picture per model, the nearest code of a grid; sweep/tiles.py made them.
(() => {
  const { build, html, svg, tables, text } = Explorer;
  const root = document.getElementById("latent"), data = tables(root);
  const { reach: REACH, step: STEP, side: SIDE, labels } = data, N = Math.round(2 * REACH / STEP) + 1, ALL = Object.keys(data.models);
  const W = 430, H = 400, [left, right, top, bottom] = [46, 12, 12, 46], EDGE = 4.2;
  const x = v => left + (v + EDGE) / (2 * EDGE) * (W - left - right), y = v => H - bottom - (v + EDGE) / (2 * EDGE) * (H - top - bottom);

  // The tile of a code: [column, row] of the grid.
  const tile = ({ a, b }) => [Math.round((a + REACH) / STEP), Math.round((REACH - b) / STEP)];
  root.state = values => ({ tile: tile(values), outside: outside(values.model) });
  const outside = model => data.models[model].codes.filter(code => code.some(v => Math.abs(v) > EDGE)).length;

  const map = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img" }), dots = svg("g");
  map.append(svg("path", { class: "axis", d: `M${left},${top}V${H - bottom}H${W - right}` }));
  for (const r of [1, 2]) map.append(svg("circle", { class: "prior", cx: x(0), cy: y(0), r: x(r) - x(0) }));
  for (let v = -4; v <= 4; v += 2) map.append(svg("text", { class: "tick", x: x(v), y: H - bottom + 18, "text-anchor": "middle" }, text(v, 0)), svg("text", { class: "tick", x: left - 8, y: y(v) + 4, "text-anchor": "end" }, text(v, 0)));
  map.append(svg("text", { x: (left + W - right) / 2, y: H - 6, "text-anchor": "middle" }, "latent 1"), svg("text", { x: 14, y: (top + H - bottom) / 2, "text-anchor": "middle", transform: `rotate(-90 14 ${(top + H - bottom) / 2})` }, "latent 2"));
  const ring = svg("circle", { class: "ring", r: 11 });
  map.append(dots, ring);

  const drawn = svg("svg", { class: "drawn", viewBox: "0 0 28 28", role: "img" }), clip = svg("svg", { x: 0, y: 0, width: 28, height: 28, viewBox: "0 0 28 28" });
  const sheet = svg("image", { width: N * SIDE, height: N * SIDE, preserveAspectRatio: "none" });
  clip.append(sheet);
  drawn.append(svg("rect", { class: "paper", width: 28, height: 28 }), clip);
  let shown = "";

  function draw(values) {
    const { model, a, b } = values, its = data.models[model];
    if (shown !== model) {
      dots.replaceChildren(...its.codes.flatMap(([u, v], k) => Math.abs(u) > EDGE || Math.abs(v) > EDGE ? [] :
        [svg("text", { class: `code d${labels[k]}`, x: x(u), y: y(v) + 4, "text-anchor": "middle" }, String(labels[k]))]));
      sheet.setAttribute("href", `data:image/png;base64,${its.tiles}`);
      shown = model;
    }
    const [column, row] = tile(values);
    sheet.setAttribute("x", -column * SIDE); sheet.setAttribute("y", -row * SIDE);
    ring.setAttribute("cx", x(a)); ring.setAttribute("cy", y(b));
    const away = outside(model), low = text(Math.max(its.mi, 0)), upper = Math.max(Math.min(its.mi_upper, its.rate), its.mi, 0);
    const info = its.mi > its.mi_cap - 0.5 ? `I at least ${low}, as much as so many examples can show (${text(its.mi_cap)})` : `I between ${low} and ${text(upper)}`;
    const words = `${model}: R = ${text(its.rate)}, ${info}, D = ${text(its.distortion, 1)} nats on the test part, one run. `
      + `z = (${text(a, 1)}, ${text(b, 1)}).${away ? ` ${away} of ${its.codes.length} codes lie outside the picture.` : ""}`;
    map.setAttribute("aria-label", `Codes of ${its.codes.length} test digits, each written at its posterior mean; circles hold 39 and 86 per cent of the prior. ${words}`);
    drawn.setAttribute("aria-label", `What the decoder draws from z = (${text(a, 1)}, ${text(b, 1)}) on the average.`);
    return words;
  }

  const pictures = html("div", { class: "pictures" });
  pictures.append(map, drawn);
  const range = [-REACH, REACH, STEP];
  const set = build(root, pictures, {
    model: { label: "model", options: ALL, value: ALL[0] },
    a: { label: "latent 1", range, digits: 1, value: 0 },
    b: { label: "latent 2", range, digits: 1, value: 0 },
  }, draw);
  const near = v => Math.min(Math.max(Math.round(v / STEP) * STEP, -REACH), REACH);
  map.addEventListener("click", event => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM().inverse());
    set({ a: near((point.x - left) / (W - left - right) * 2 * EDGE - EDGE), b: near((H - bottom - point.y) / (H - top - bottom) * 2 * EDGE - EDGE) });
  });
})();
