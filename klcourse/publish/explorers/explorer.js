// What the explorers share: sliders that keyboard, finger and screen reader can use, numbers as text, pieces of SVG.
const Explorer = (() => {
  const text = (value, digits = 2) => {
    const written = value.toFixed(digits);
    return (Number(written) === 0 ? written.replace("-", "") : written).replace("-", "\u2212");
  };

  // An SVG element with attributes; `words` is its text.
  const svg = (name, attributes = {}, words = "") => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = words;
    return made;
  };

  const html = (name, attributes = {}, words = "") => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = words;
    return made;
  };

  // Sliders and choices below the picture. controls: name -> {label, unit, digits, range: [first, last, step], value} or
  // {label, options, value}. `draw(values)` is called at the start and after every move and returns the sentence to be read out.
  function build(root, picture, controls, draw) {
    const values = {}, inputs = {};
    const readout = html("p", { class: "readout", role: "status" });
    const panel = html("div", { class: "controls" });
    for (const [name, control] of Object.entries(controls)) {
      values[name] = control.value;
      const id = `${root.id}-${name}`, row = html("div", { class: "control" });
      row.append(html("label", { for: id }, control.label));
      if (control.options) {
        const choice = inputs[name] = html("select", { id });
        for (const option of control.options) choice.append(html("option", {}, option));
        choice.addEventListener("change", () => set({ [name]: choice.value }));
        row.append(choice);
      } else {
        const [min, max, step] = control.range, slider = inputs[name] = html("input", { id, type: "range", min, max, step });
        const shown = html("output", { for: id });
        slider.addEventListener("input", () => set({ [name]: Number(slider.value) }));
        row.append(slider, shown);
      }
      panel.append(row);
    }
    const reset = html("button", { type: "button" }, "Reset");
    const start = { ...values };
    reset.addEventListener("click", () => set(start));
    panel.append(reset);

    function set(changes) {
      Object.assign(values, changes);
      for (const [name, control] of Object.entries(controls)) {
        inputs[name].value = values[name];
        if (control.options) continue;
        const said = `${text(values[name], control.digits)}${control.unit ? ` ${control.unit}` : ""}`;
        inputs[name].nextSibling.textContent = said;
        inputs[name].setAttribute("aria-valuetext", said);
      }
      readout.textContent = draw(values);
    }

    root.replaceChildren(picture, readout, panel);
    set({});
    return set;
  }

  const tables = root => JSON.parse(document.getElementById(`${root.id}-tables`).textContent);
  return { build, html, svg, tables, text };
})();
