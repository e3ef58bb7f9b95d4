// The run's id, which the page makes before the server knows of the run: a page that comes back asks for
// it by this name, whatever became of the click.

import { newId, visitor } from "../shared/visitor.js";

let id = ""; // of the newest run that this page began or watches

export const runId = () => id;

export function nameRun(name = newId()) {
  id = name;
  return id;
}

// Gradio sends this with Run and with Stop.
window.samplerExplorerRun = { name: () => ({ id, visitor: visitor() }) };
