// Names and values of a panel's controls for those who hear the page. ipywidgets writes a slider's label beside it, not on it,
// and reads out 0.3999999999999999 or the exponent of a log slider. `element` is a place inside the panel.
const box = element.closest(".klw");
const say = (part, attribute, text) => { if (text && part.getAttribute(attribute) !== text) part.setAttribute(attribute, text); };
const JOINT = "\u00a0";  // between value and unit: a text that has it is ours already
function name() {
  for (const row of box.querySelectorAll(".klw-row")) {
    const [label, unit] = [...row.querySelectorAll(".widget-label")].map(part => part.textContent.trim());
    for (const handle of row.querySelectorAll(".noUi-handle")) {
      say(handle, "aria-label", label);
      const text = handle.getAttribute("aria-valuetext") ?? "";
      if (text.includes(JOINT) || text === "") continue;
      const value = row.classList.contains("klw-log") ? 10 ** Number(text) : Number(text);
      handle.setAttribute("aria-valuetext", String(Number(value.toPrecision(4))).replace("-", "\u2212") + JOINT + (unit ?? ""));
    }
    for (const part of row.querySelectorAll("select")) say(part, "aria-label", label);
    for (const part of row.querySelectorAll("input[type=text]")) say(part, "aria-label", unit ? `${label} in ${unit}` : `${label}, number`);
  }
}
new MutationObserver(name).observe(box, {subtree: true, childList: true, attributeFilter: ["aria-valuetext"]});
name();
