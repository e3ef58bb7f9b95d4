// Files and texts of a run from the server: they are fetched with the visitor's id, then saved or copied.

import { copyText } from "../shared/copy_text.js";
import { runsFetch, sentenceOf } from "../shared/runs_api.js";

const GONE = "The server cannot be reached.";
const REVOKE_MS = 60_000; // a browser may begin to read a large file late

// The answer of a route below a run's `save/`; rejects with a sentence.
export async function ask(id, path, options) {
  let response;
  try {
    response = await runsFetch(`runs/${id}/save/${path}`, options);
  } catch {
    throw new Error(GONE);
  }
  if (!response.ok) throw new Error(await sentenceOf(response));
  return response;
}

export const ofLane = (lane) => (lane === null ? "" : `lane=${lane}`);

export async function saveKind(id, kind, lane) {
  await saveFile(await ask(id, `${kind}?${ofLane(lane)}`));
}

export async function saveFile(response) {
  const file = await response.blob().catch(() => {
    throw new Error(GONE);
  });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = nameOf(response);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), REVOKE_MS);
}

const nameOf = (response) =>
  /filename="([\w.-]+)"/.exec(response.headers.get("content-disposition") ?? "")?.[1] ?? "sampler-explorer";

// A text to the clipboard: {text, missing, isCopied}.
export async function copyKind(id, kind, lane) {
  const answer = ask(id, `${kind}?${ofLane(lane)}`).then((response) => response.json());
  const isCopied = await copyText(answer.then(({ text }) => text));
  return { ...(await answer), isCopied };
}
