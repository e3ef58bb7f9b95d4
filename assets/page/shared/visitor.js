// Who this browser is to the server: a random id, which is kept where the browser allows it, else for
// as long as the tab is open. Who knows it sees the visitor's runs.

import { setTabState, tabState } from "./tab_state.js";

const STORED = "sampler-explorer.visitor";
const ID = /^[0-9a-f]{32}$/;

let id = "";

// 128 random bits as 32 hexadecimal digits, for visitors and for runs.
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const isId = (text) => typeof text === "string" && ID.test(text);

export function visitor() {
  if (!id) {
    const kept = read();
    id = isId(kept) ? kept : newId();
    if (id !== kept) write(id);
  }
  return id;
}

function read() {
  try {
    return localStorage.getItem(STORED);
  } catch {
    return tabState().visitor;
  }
}

function write(text) {
  try {
    localStorage.setItem(STORED, text);
  } catch {
    setTabState({ visitor: text }); // full or forbidden
  }
}
