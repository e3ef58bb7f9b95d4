// What a page's form begins with: a link in the address, else what this tab or this browser has kept.

import { keptBy } from "./kept_form.js";
import { broughtBack } from "./kept_picture.js";
import { openForm, openLink } from "./opening.js";

export const QUERY = "s"; // of an address with settings
const NOT_RUN = "Nothing was run: press Run for its pictures.";

const link = new URLSearchParams(location.search).get(QUERY);
const again = ["reload", "back_forward"].includes(performance.getEntriesByType("navigation")[0]?.type);

// Does the page begin with a link? One that this tab has opened or copied counts no more after a reload:
// what was made of its settings does.
export const opensLink = link !== null && !(again && keptBy().hasOpened(link));

// {values, notes, title, problem} of the settings to begin with; null for the defaults. Nothing is run.
export async function beginning(kept, names) {
  if (opensLink) return withPicture(await fromLink(kept, names));
  const found = kept.kept();
  return found && withPicture(await fromKept(found, names));
}

async function fromLink(kept, names) {
  try {
    const opened = await openLink(link);
    kept.noteLink(link);
    return { ...opened, title: "Settings from the link", changes: NOT_RUN };
  } catch ({ message }) {
    const found = kept.kept();
    const other = found ? await fromKept(found, names) : { values: {}, notes: [] };
    return { ...other, title: "The link was not opened", problem: message };
  }
}

async function fromKept({ form, current }, names) {
  const known = Object.fromEntries(Object.entries(form).filter(([name]) => names.includes(name)));
  if (current) return { values: known, notes: [] };
  try {
    const opened = await openForm(form);
    if ("init_image" in form) opened.values.init_image = form.init_image;
    return { ...opened, title: "Your settings, in this version of the program" };
  } catch ({ message }) {
    return { values: {}, notes: [], title: "Your settings were not brought back", problem: message };
  }
}

// An uploaded picture is kept by the server for a day only, and by this browser.
async function withPicture(start) {
  const picture = start?.values.init_image;
  if (!picture) return start;
  const values = { ...start.values, init_image: await broughtBack(picture) };
  if (values.init_image) return { ...start, values };
  const title = start.title ?? "Your settings are back";
  return { ...start, values, title, notes: [...start.notes, "The start picture was not kept: choose it again."] };
}
