// ipywidgets writes a slider's label beside it, not on it: say it on the handle too, and the value without rounding noise.
const put = (handle, name, text) => {
  if (handle.getAttribute(name) !== text) handle.setAttribute(name, text);
};

function name(box) {
  for (const slider of box.querySelectorAll(".widget-slider")) {
    for (const handle of slider.querySelectorAll(".noUi-handle")) {
      put(handle, "aria-label", slider.querySelector(".widget-label")?.textContent.trim() ?? "your guess");
      const value = Number(handle.getAttribute("aria-valuetext"));
      if (Number.isFinite(value)) put(handle, "aria-valuetext", String(Number(value.toPrecision(4))));
    }
  }
}

// The script runs before its place is part of the page: look again at the next frames, for ten seconds at most.
function begin(tries) {
  const box = element.closest(".kle-guess");
  if (!box) {
    if (tries) requestAnimationFrame(() => begin(tries - 1));
    return;
  }
  new MutationObserver(() => name(box)).observe(box, { subtree: true, childList: true, attributeFilter: ["aria-valuetext"] });
  name(box);
}
begin(600);
