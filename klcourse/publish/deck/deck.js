/* Turns the cells of a notebook into slides that fit: set the mathematics, cut what is too tall, hand over to reveal.js.

   nbconvert makes one <section> for every slide and subslide that the metadata of the cells ask for. What is in them may be
   taller than a screen, so it is measured here, where fonts and formulas are what they are, and goes on on further pages. */

"use strict";

const HEIGHT = 620;                 // of a page, as in deck.css
const GROW = 1.45;                  // how much a figure may be enlarged
const SCALES = [1, 0.94, 0.88];     // type sizes to try where the last page would be nearly empty,
const NEARLY_EMPTY = 0.3 * HEIGHT;
const SMALLEST = 0.7;               // and for one block that is taller than a page
const PART = /^(Prediction|What we see)/;

const element = (tag, classes, parent) => {
  const made = document.createElement(tag);
  made.className = classes;
  if (parent) parent.append(made);
  return made;
};

/* ---- a cell as blocks that are not cut if it can be helped ---------------------------------------------------------- */

function blocksOf(cell) {
  const found = [];
  const fragment = 1 + [...document.querySelectorAll("div.fragment")].indexOf(cell.closest(".fragment"));  // 0 for none
  const add = (kind, ...nodes) => {
    const block = element("div", `block jp-RenderedHTMLCommon ${kind}`);
    if (fragment) block.classList.add("fragment"), block.dataset.fragmentIndex = fragment;
    block.append(...nodes);
    found.push(block);
  };
  const markdown = cell.querySelector(".jp-MarkdownOutput");
  if (markdown) for (const node of [...markdown.children]) add(/^H\d$/.test(node.tagName) ? "heading" : "text", node);
  else {
    const code = cell.querySelector(".jp-InputArea .highlight");
    if (code) add("code", code);
    for (const output of cell.querySelectorAll(".jp-OutputArea-output")) {
      const caption = output.querySelector(":scope > p > em:only-child");
      if (caption && found.at(-1)?.matches(".figure")) element("p", "caption", found.at(-1)).append(...caption.childNodes);
      else add(output.querySelector(":scope > img") ? "figure" : "output", ...output.childNodes);
    }
  }
  return found.filter(block => block.textContent.trim() || block.querySelector("img, svg"));
}

/* What starts a page of its own: across is a step to the right, otherwise one down. */
function* runs(source) {
  let run = { across: true, blocks: [], notes: [] };
  const waited = new Set();  // fragments that a turn of the page has revealed
  const next = across => {
    const old = run;
    run = { across: across || (old.across && !old.blocks.length), blocks: [], notes: [] };
    return old;
  };
  for (const stack of source.querySelectorAll(":scope > section")) {
    let across = true;
    for (const slide of stack.querySelectorAll(":scope > section")) {
      yield next(across);
      across = false;
      for (const cell of slide.querySelectorAll(".jp-Cell:not(aside .jp-Cell)")) for (const block of blocksOf(cell)) {
        const first = block.firstElementChild;
        const strong = first?.querySelector(":scope > strong:first-child");
        const part = first?.matches("h3") || (strong && PART.test(strong.textContent));
        if (part || first?.matches("h2")) {
          yield next(!part);
          waited.add(block.dataset.fragmentIndex);
        }
        if (waited.has(block.dataset.fragmentIndex)) block.classList.remove("fragment");
        run.blocks.push(block);
      }
      run.notes.push(...slide.querySelectorAll("aside.notes"));
    }
  }
  yield run;
}

/* ---- pages ----------------------------------------------------------------------------------------------------------- */

class Layout {
  constructor(bench, blocks, scale) {
    this.bench = bench;
    this.scale = scale;
    this.pages = [];
    this.waited = new Set();
    this.open();
    for (const block of blocks) this.add(block.cloneNode(true));
  }

  open() {
    this.page = element("div", "page", this.bench);
    this.page.style.fontSize = `calc(var(--deck-size) * ${this.scale})`;
    this.pages.push(this.page);
  }

  get room() { return HEIGHT - this.page.scrollHeight; }
  get last() { return HEIGHT - this.room; }

  add(block) {
    if (this.waited.has(block.dataset.fragmentIndex)) block.classList.remove("fragment");
    this.page.append(block);
    if (this.fits(block)) return;
    block.remove();
    const carried = [];  // a heading does not stay behind alone
    while (this.page.lastElementChild?.matches(".heading")) carried.unshift(this.page.lastElementChild), carried[0].remove();
    if (this.page.children.length) this.open();
    this.page.append(...carried, block);
    this.waited.add(block.dataset.fragmentIndex);
    block.classList.remove("fragment");
    if (!this.fits(block) && !this.split(block)) this.shrink(block);
  }

  fits(block) {
    const image = block.matches(".figure") && block.querySelector("img");
    if (image) return this.draw(block, image);
    for (const part of block.querySelectorAll("table, pre, p, li, mjx-container[display]")) this.narrow(part);
    return this.room >= 0;
  }

  /* A figure takes the room there is, if that makes it no smaller than it is in the notebook. */
  draw(block, image) {
    const [width, height] = [Number(image.dataset.width), Number(image.dataset.height)];
    const wide = Math.min(GROW, this.page.clientWidth / width);
    image.style.width = image.style.height = "0";
    const scale = Math.min(wide, (this.room - 2) / height);
    const alone = [...this.page.children].every(other => other === block || other.matches(".heading"));
    if (scale < Math.min(wide, 1) && !alone) return false;
    image.style.width = `${width * scale}px`;
    image.style.height = `${height * scale}px`;
    return true;
  }

  /* Wide tables, long lines and long formulas get smaller type. */
  narrow(part) {
    const over = part.scrollWidth / (part.matches("table") ? this.page : part).clientWidth;
    if (over > 1) part.style.fontSize = `${parseFloat(getComputedStyle(part).fontSize) / Math.min(over * 1.02, 1.7)}px`;
  }

  /* Lists and tables go on on the next page, item by item. */
  split(block) {
    const whole = block.querySelector(":scope > ul, :scope > ol, table > tbody");
    if (!whole || whole.children.length < 2) return false;
    const rest = block.cloneNode(true);
    const other = rest.querySelector(whole.tagName);
    other.replaceChildren();
    while (this.room < 0 && whole.children.length > 1) other.prepend(whole.lastElementChild);
    if (whole.matches("ol")) other.start = whole.start + whole.children.length;
    if (other.children.length) { this.open(); this.add(rest); }
    return true;
  }

  /* Smaller type; what is too tall even so can be scrolled (deck.css). */
  shrink(block) {
    for (let size = 1; this.room < 0 && size > SMALLEST; size -= 0.03) {
      block.style.fontSize = `${size}em`;
      for (const part of block.querySelectorAll("pre, table")) part.style.fontSize = `${size * 0.77}em`;
    }
  }
}

/* One run at the largest type that does not leave the last page nearly empty. */
function layout(bench, run) {
  let best = null;
  for (const scale of SCALES) {
    const tried = new Layout(bench, run.blocks, scale);
    const better = best && tried.pages.length < best.pages.length;
    if (better || !best) { best?.pages.forEach(page => page.remove()); best = tried; }
    else tried.pages.forEach(page => page.remove());
    if (better || best.pages.length === 1 || best.last > NEARLY_EMPTY) break;
  }
  return best.pages;
}

function paginate(source) {
  for (const image of source.querySelectorAll("img")) Object.assign(image.dataset, { width: image.naturalWidth, height: image.naturalHeight });
  const bench = element("div", "", source);
  const stacks = [];
  let title = "";
  for (const run of runs(source)) {
    if (!run.blocks.length) continue;
    let across = run.across || !stacks.length;
    for (const page of layout(bench, run)) {
      if (across) stacks.push(element("section", ""));
      across = false;
      const section = element("section", "", stacks.at(-1));
      const heading = page.querySelector("h1, h2")?.cloneNode(true);
      heading?.querySelectorAll(".anchor-link, mjx-container").forEach(part => part.remove());
      if (!heading) element("p", "running", section).textContent = title;
      else title = heading.textContent;
      section.append(page, ...run.notes.splice(0));
    }
  }
  document.querySelector(".slides").append(...stacks);
  source.remove();
}

/* ---- in this order --------------------------------------------------------------------------------------------------- */

// The same delimiters as in JupyterLab; svg: pictures of the formulas, so there are no fonts to load.
window.MathJax = {
  tex: { inlineMath: [["$", "$"], ["\\(", "\\)"]], displayMath: [["$$", "$$"], ["\\[", "\\]"]], processEscapes: true },
  svg: { fontCache: "local", scale: 0.92 },
  options: { enableMenu: false },
  startup: { typeset: false, ready: () => { MathJax.startup.defaultReady(); start(); } },
};

async function start() {
  const source = document.querySelector("#source");
  await MathJax.typesetPromise([source]);
  await Promise.allSettled([...source.querySelectorAll("img")].map(image => image.decode()));
  paginate(source);
  await Reveal.initialize({ width: 1280, height: 720, margin: 0, center: false, hash: true, slideNumber: "c/t", transition: "none",
                            plugins: [RevealNotes] });
  document.body.classList.add("ready");
}
