// Who this browser is to the server: a random id, which is kept where the browser allows it, else for
// as long as the page is open. Who knows it sees the visitor's runs.

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
    return null;
  }
}

function write(text) {
  try {
    localStorage.setItem(STORED, text);
  } catch {
    // full or forbidden: then a reload makes a new visitor
  }
}
