// The tab Learn: the recorded examples' cards, then short texts, each with a picture of the app's own and
// with buttons that show on the stage what it says. Texts and pictures are fetched when the tab is first
// opened.

import { show } from "./show_me.js";
import { make } from "../shared/dom.js";
import { on } from "../shared/signals.js";
import { follow } from "../shared/store.js";

const EXAMPLES = { key: "examples", title: "Examples" };
const LINKS = { key: "links", title: "Links" };
const FAILED = "The texts could not be fetched. Open the tab again when the server is back.";
const home = () => `${window.gradio_config.root}/page/learn/`;

export function mount({ element, props }) {
  const [nav, texts, said] = [".subjects", ".texts", ".said"].map((name) => element.querySelector(name));
  let fetched = null; // the promise of the texts

  function offer(subjects) {
    nav.replaceChildren(...subjects.map(({ key, title }) => {
      const button = make("button", "subject", title);
      Object.assign(button, { type: "button" });
      Object.assign(button.dataset, { subject: key, bold: title });
      button.addEventListener("click", () => choose(key));
      return button;
    }));
  }

  function choose(key) {
    for (const button of nav.children) {
      if (button.dataset.subject === key) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
    for (const text of texts.children) text.hidden = text.dataset.subject !== key;
    // The cards are a component of their own below this one.
    element.closest("#panel_learn")?.setAttribute("data-subject", key);
    said.textContent = "";
    if (key !== EXAMPLES.key && !texts.children.length) load();
  }

  async function load() {
    fetched ??= Promise.all(["texts.json", "pictures.json"].map(fetchJson));
    try {
      const [subjects, { labels }] = await fetched;
      texts.replaceChildren(...subjects.map((subject) => article(subject, labels[subject.picture])), linksOf(subjects, props.links ?? []));
      choose(nav.querySelector("[aria-current]")?.dataset.subject ?? EXAMPLES.key);
    } catch {
      fetched = null;
      said.textContent = FAILED;
    }
  }

  function article(subject, labels) {
    const { key, heading, paragraphs, formula, show: actions, links } = subject;
    const words = make("div", "words", make("h2", "", heading), ...paragraphs.map((text) => make("p", "", text)));
    words.append(make("p", "formula", formula));
    const buttons = actions.map((action) => {
      const button = make("button", "show quiet-button", action.label);
      button.type = "button";
      button.addEventListener("click", async () => {
        said.textContent = "";
        said.textContent = await show(action).catch((error) => error.message);
      });
      return button;
    });
    words.append(make("p", "actions", ...buttons), make("p", "links", ...links.flatMap((link) => [anchor(link), " "])));
    const whole = make("article", "", pictureOf(subject, labels), words);
    whole.dataset.subject = key;
    return whole;
  }

  offer([EXAMPLES, ...props.subjects, LINKS]);
  choose(EXAMPLES.key);
  on("subject", choose);
  follow("tab", ({ tab }) => tab === "learn" && load());
}

function pictureOf({ picture, alt, caption }, labels = []) {
  const figure = make("figure");
  if (picture.endsWith(".svg")) drawInto(figure, picture, alt);
  else figure.append(Object.assign(make("img"), { src: home() + picture, alt, loading: "lazy" }));
  if (labels.length) figure.append(make("div", "columns", ...labels.map((label) => make("span", "", label))));
  figure.append(make("figcaption", "", caption));
  return figure;
}

// A drawing becomes part of the page, whose colours it takes.
async function drawInto(figure, name, alt) {
  try {
    const text = await (await get(name)).text();
    const drawing = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    drawing.setAttribute("role", "img");
    drawing.setAttribute("aria-label", alt);
    figure.prepend(document.importNode(drawing, true));
  } catch {
    figure.append(make("p", "sentence", "The drawing could not be fetched."));
  }
}

async function get(name) {
  const response = await fetch(home() + name);
  if (!response.ok) throw new Error(response.statusText);
  return response;
}

const fetchJson = async (name) => (await get(name)).json();

function anchor({ text, href, source }) {
  const link = make("a", "", text);
  link.href = href ?? `${window.gradio_config.root}/source/${source}`;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  return link;
}

// All links once more, and the pages of documentation.
function linksOf(subjects, more) {
  const seen = new Set();
  const all = [...more, ...subjects.flatMap(({ links }) => links)].filter(({ href, source }) => {
    const address = href ?? source;
    return !seen.has(address) && seen.add(address);
  });
  const whole = make("article", "", make("ul", "all-links", ...all.map((link) => make("li", "", anchor(link)))));
  whole.dataset.subject = LINKS.key;
  return whole;
}
