// Opens a run as it was: its pictures, its plan, and its settings in the form. Nothing is computed.

import { isRunning, open } from "../run/run.js";
import { fillForm } from "../settings/form.js";
import { upload } from "../settings/kept_picture.js";
import { runsFetch, sentenceOf } from "../shared/runs_api.js";

const RUNNING = "A run is under way: stop it, or wait for its end, to open another.";
const NO_ANSWER = "The server did not answer; try again.";

let newest = null; // the request under way: a newer one takes its place

// Resolves to the run as the server describes it, or to null where a newer request has taken over.
// Rejects with an Error whose message is a sentence.
export async function openRun(id, { fill = true } = {}) {
  if (isRunning()) throw new Error(RUNNING);
  newest?.abort();
  const request = (newest = new AbortController());
  const { signal } = request;
  const opened = await answerTo(`runs/${encodeURIComponent(id)}`, { signal });
  if (!opened || request !== newest) return null;
  const values = fill && opened.settings ? await withPicture(opened) : null;
  if (request !== newest) return null;
  if (isRunning()) throw new Error(RUNNING);
  open({ ...opened, form: opened.whole ? values : null });
  if (values) fillForm(values);
  return opened;
}

// Resolves to {id, message} of the run that a .zip held, which the server then has; rejects as `openRun`.
export async function takeZip(file) {
  const headers = { "content-type": "application/zip" };
  return answerTo("runs", { method: "POST", body: file, headers });
}

async function answerTo(path, options) {
  let response;
  try {
    response = await runsFetch(path, options);
    if (response.ok) return await response.json();
  } catch {
    if (options.signal?.aborted) return null;
    throw new Error(NO_ANSWER);
  }
  throw new Error(await sentenceOf(response));
}

// The form's values, the start picture as Gradio's control holds one: an upload.
async function withPicture(opened) {
  const { init_image: picture, ...values } = opened.settings;
  if (!picture) return { ...values, init_image: null };
  try {
    const blob = await (await fetch(picture)).blob();
    const name = `start picture.${blob.type.split("/")[1] ?? "png"}`;
    return { ...values, init_image: await upload(blob, name) };
  } catch {
    opened.whole = false;
    opened.notes.push("Its start picture could not be taken over; the form keeps its own.");
    return values;
  }
}
