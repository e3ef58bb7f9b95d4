// Our own routes on the server, beside Gradio's: runs and settings. Every request says who asks.

import { visitor } from "./visitor.js";

// The address of one of our routes, such as "runs/0123", under the app's root path.
export const routeUrl = (path) => `${window.gradio_config.root}/${path}`;

// `fetch` of one of our routes. Rejects with a TypeError where the server cannot be reached.
export function runsFetch(path, { headers = {}, ...options } = {}) {
  return fetch(routeUrl(path), { cache: "no-store", ...options, headers: { ...headers, "x-visitor": visitor() } });
}

// The sentence of an answer that is an error.
export async function sentenceOf(response) {
  const text = await response.text().catch(() => "");
  try {
    const { message, error } = JSON.parse(text);
    return message ?? error ?? text;
  } catch {
    return text || `The server answered with ${response.status}.`;
  }
}
