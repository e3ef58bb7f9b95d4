// Copy and CSV: the table for a spreadsheet, a lane's sigmas for other programs.

import { asPython, commaSeparated, tabSeparated, withCommas } from "./texts.js";
import { makeMenu } from "../save/menu.js";
import { copyText } from "../shared/copy_text.js";
import { make } from "../shared/dom.js";
import { letter } from "../shared/names.js";

const SAID_MS = 4000;
const REVOKE_MS = 60_000; // a browser may begin to read a file late

// `read()` gives {lanes, shown}: the table, and the numbers of the lanes in sight.
export function makeCopying(element, read) {
  const find = (name) => element.querySelector(name);
  const [button, popup, text, said] = [".copy", ".save-menu", "textarea", ".said"].map(find);
  const menu = makeMenu({ button, popup, list: find(".entries") });
  let timer = 0;

  menu.onOpen(() => {
    text.hidden = true;
    const { lanes, shown } = read();
    const several = shown.length > 1;
    const table = entry("Table", "tab-separated", () => tabSeparated(lanes, shown));
    const lists = shown.map((lane) => ({
      label: several ? `Lane ${letter(lane)}` : "",
      entries: [
        entry("Sigmas", "ComfyUI, A1111", () => withCommas(lanes[lane])),
        entry("Sigmas", "diffusers", () => asPython(lanes[lane])),
      ],
    }));
    menu.show([{ label: "", entries: [table] }, ...lists]);
  });

  const entry = (label, hint, make) => ({ label, hint, act: () => copy(make()) });

  async function copy(what) {
    if (await copyText(what)) {
      menu.close();
      return say("Copied");
    }
    text.value = what; // browsers allow it to no page on plain http
    text.hidden = false;
    text.select();
    say("Copy it from the box");
  }

  function say(words) {
    said.textContent = words;
    clearTimeout(timer);
    timer = setTimeout(() => (said.textContent = ""), SAID_MS);
  }

  find(".csv").addEventListener("click", () => {
    const { lanes } = read();
    const file = new Blob([commaSeparated(lanes, [...lanes.keys()])], { type: "text/csv" });
    const link = make("a");
    Object.assign(link, { href: URL.createObjectURL(file), download: "model-calls.csv" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), REVOKE_MS);
  });
}
