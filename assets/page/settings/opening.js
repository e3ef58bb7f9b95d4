// Settings from outside, read by the server: a text, a picture, a link, or a form of another version.
// Each answers {source, values, notes, unmapped, informative}, or throws an Error with a sentence.

import { picturesText } from "./picture_text.js";
import { runsFetch, sentenceOf } from "../shared/runs_api.js";

const NO_ANSWER = "The server did not answer; try again.";

export const openText = (text) => ask("settings", json({ text }));
export const openLink = (link) => ask("settings", json({ link }));
export const openForm = (form) => ask("settings", json({ form }));
export const defaultsOf = (model) => ask("settings", json({ defaults: model }));
export const makeLink = (form) => ask("settings/link", json(form));

// The picture itself stays here where its text can be taken out.
export async function openPicture(file) {
  const bytes = picturesText(new Uint8Array(await file.arrayBuffer())) ?? file;
  return ask("settings", { body: bytes, headers: { "content-type": "application/octet-stream" } });
}

const json = (data) => ({ body: JSON.stringify(data), headers: { "content-type": "application/json" } });

async function ask(path, options) {
  let response;
  try {
    response = await runsFetch(path, { method: "POST", ...options });
  } catch {
    throw new Error(NO_ANSWER);
  }
  if (!response.ok) throw new Error((await sentenceOf(response)) || NO_ANSWER);
  return response.json();
}
