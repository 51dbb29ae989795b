// Names and values of controls for those who hear the page: of a widget's panel (.klw), of a prediction (.kle-guess).
// ipywidgets writes a slider's label beside it, not on it, and reads out 0.3999999999999999, or the exponent of a log slider.
// `element` is a place inside the box.
const JOINT = "\u00a0"; // between value and unit: a text that has it is ours already
const say = (part, text) => {
  if (text && part.getAttribute("aria-label") !== text) part.setAttribute("aria-label", text);
};

function name(box) {
  for (const row of box.querySelectorAll(box.classList.contains("klw") ? ".klw-row" : ".widget-slider")) {
    const [label, unit] = [...row.querySelectorAll(".widget-label")].map(part => part.textContent.trim());
    for (const handle of row.querySelectorAll(".noUi-handle")) {
      say(handle, label);
      const text = handle.getAttribute("aria-valuetext") ?? "";
      if (text.includes(JOINT) || text === "") continue;
      const value = row.classList.contains("klw-log") ? 10 ** Number(text) : Number(text);
      const written = String(Number(value.toPrecision(4))).replace("-", "\u2212");
      handle.setAttribute("aria-valuetext", written + JOINT + (unit ?? ""));
    }
    for (const part of row.querySelectorAll("select")) say(part, label);
    for (const part of row.querySelectorAll("input[type=text]")) say(part, unit ? `${label} in ${unit}` : `${label}, number`);
  }
}

// The script runs before its place is part of the page: look again at the next frames, for ten seconds at most.
function begin(tries) {
  const box = element.closest(".klw, .kle-guess");
  if (!box) {
    if (tries) requestAnimationFrame(() => begin(tries - 1));
    return;
  }
  new MutationObserver(() => name(box)).observe(box, { subtree: true, childList: true, attributeFilter: ["aria-valuetext"] });
  name(box);
}
begin(600);
