// A user's own presets, kept in the browser; to a file and back. Does not touch the DOM.

const STORED = "sampler-explorer.presets";
const FORMAT = "sampler-explorer presets";
const VERSION = 1;
const MOST = 100;
const LONGEST_NAME = 80;
// What a preset leaves as it is: what is drawn, and by which model.
const NOT_KEPT = ["model", "prompt", "negative_prompt", "seed", "init_image", "refiner"];

// Presets are [{name, values}], the newest last; `storageOf` returns a storage, or throws.
export function makePresets(storageOf) {
  let presets = read();

  function read() {
    try {
      return listed(JSON.parse(storageOf().getItem(STORED)));
    } catch {
      return [];
    }
  }

  // Set the list; returns false where it lives as long as the page only.
  function set(list) {
    presets = list;
    try {
      storageOf().setItem(STORED, fileText(list));
      return true;
    } catch {
      return false;
    }
  }

  const without = (name) => presets.filter((each) => each.name !== name);

  return {
    all: () => presets,
    set,
    // Each change returns {kept, replaced}, or throws an Error with a sentence.
    save(name, form) {
      const named = checkedName(name);
      const rest = without(named);
      if (rest.length >= MOST) throw new Error(`${MOST} presets are the most: delete one first.`);
      const values = Object.fromEntries(Object.entries(form).filter(([field]) => !NOT_KEPT.includes(field)));
      return { replaced: rest.length < presets.length, kept: set([...rest, { name: named, values }]) };
    },
    rename(from, to) {
      const named = checkedName(to);
      if (named !== from && presets.some(({ name }) => name === named)) throw new Error(`There is a preset ${named} already.`);
      return { name: named, kept: set(presets.map((each) => (each.name === from ? { ...each, name: named } : each))) };
    },
    remove: (name) => ({ kept: set(without(name)) }),
    // The presets of a file beside those that are there; returns {kept, added, replaced}.
    add(text) {
      const found = presetsIn(text);
      const names = found.map(({ name }) => name);
      const rest = presets.filter(({ name }) => !names.includes(name));
      if (rest.length + found.length > MOST) throw new Error(`${MOST} presets are the most: delete some first.`);
      const replaced = presets.length - rest.length;
      return { replaced, added: found.length, kept: set([...rest, ...found]) };
    },
    text: () => fileText(presets),
  };
}

export const fileText = (presets) => JSON.stringify({ format: FORMAT, version: VERSION, presets }, null, 1);

// Does a text look like a file of presets?
export const isPresets = (text) => text.slice(0, 200).includes(FORMAT);

function presetsIn(text) {
  let data;
  try {
    data = JSON.parse(text);
  } catch {
    throw new Error("This file is not JSON.");
  }
  if (data?.format !== FORMAT) throw new Error("This file holds no presets of this program.");
  if (!(data.version <= VERSION)) throw new Error("These presets are of a newer version of the program: update it.");
  const found = listed(data);
  if (!found.length) throw new Error("There are no presets in this file.");
  return found;
}

// What is well formed of it, each name once.
function listed(data) {
  const list = Array.isArray(data?.presets) ? data.presets : [];
  const good = list.filter((each) => isName(each?.name) && each.values && typeof each.values === "object" && !Array.isArray(each.values));
  return [...new Map(good.map(({ name, values }) => [name, { name, values }])).values()].slice(0, MOST);
}

const isName = (name) => typeof name === "string" && name.trim() === name && name !== "" && name.length <= LONGEST_NAME;

function checkedName(text) {
  const name = text.trim().replace(/\s+/g, " ");
  if (!name) throw new Error("Give the preset a name.");
  if (name.length > LONGEST_NAME) throw new Error(`A name may have at most ${LONGEST_NAME} characters.`);
  return name;
}
