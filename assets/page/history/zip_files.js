// A .zip of a run, dropped or chosen: it is opened like a run of the history, which then has it.

import { isRunning } from "../run/run.js";
import { showReport } from "../settings/report.js";
import { takeFiles } from "../shared/drop.js";
import { emit } from "../shared/signals.js";
import { openRun, takeZip } from "./open_run.js";

const ZIP = /\.zip$/i;
const TYPES = ["application/zip", "application/x-zip-compressed"];
const RUNNING = "A run is under way: stop it, or wait for its end, to open another.";

takeFiles({ takes: ({ name, type }) => ZIP.test(name) || TYPES.includes(type), take });

async function take(file) {
  const title = `${file.name} was not opened`;
  if (isRunning()) return showReport({ title, problem: RUNNING });
  try {
    const { id, message } = await takeZip(file);
    emit("taken", id);
    const opened = await openRun(id);
    const notes = [message, ...(opened?.notes ?? [])].filter(Boolean);
    if (notes.length) showReport({ title: `Opened ${file.name}`, notes });
  } catch ({ message }) {
    showReport({ title, problem: message });
  }
}
