// What scrolls can be reached by keyboard: the theme sees to code and tables, this to wide formulas.
function reachable() {
  for (const formula of document.querySelectorAll('mjx-container[display="true"]')) {
    const scrolls = formula.scrollWidth > formula.clientWidth || formula.scrollHeight > formula.clientHeight;
    if (scrolls) formula.setAttribute("tabindex", "0");
    else formula.removeAttribute("tabindex");
  }
}
addEventListener("load", () => window.MathJax?.startup.promise.then(reachable));
addEventListener("resize", reachable);

// On paper nobody unfolds anything: proofs and solutions are printed open.
const folds = () => document.querySelectorAll(".bd-article details:not([open])");
let opened = [];
addEventListener("beforeprint", () => { opened = [...folds()]; opened.forEach(fold => { fold.open = true; }); });
addEventListener("afterprint", () => opened.forEach(fold => { fold.open = false; }));

// The same place in the other language: both have the same anchors.
addEventListener("click", event => {
  const link = event.target.closest?.("a.language");
  if (link) link.hash = location.hash;
});
