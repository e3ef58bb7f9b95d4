// What a page's form begins with: a link in the address, else what this tab or this browser has kept.

import { openForm, openLink } from "./opening.js";
import { broughtBack } from "./kept_picture.js";

export const QUERY = "s"; // of an address with settings

// {values, notes, title, problem} of the settings to begin with; null for the defaults. Nothing is run.
export async function beginning(kept, names) {
  const link = new URL(location.href).searchParams.get(QUERY);
  const [navigation] = performance.getEntriesByType("navigation");
  const again = ["reload", "back_forward"].includes(navigation?.type);
  if (link !== null && !(again && kept.hasOpened(link))) return withPicture(await fromLink(link, kept, names));
  const found = kept.kept();
  return found && withPicture(await fromKept(found, names));
}

async function fromLink(link, kept, names) {
  try {
    const opened = await openLink(link);
    kept.noteLink(link);
    return { ...opened, title: "Settings from the link" };
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
