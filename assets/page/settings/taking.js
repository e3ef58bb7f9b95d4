// Settings from outside into the form, as one change that can be undone; and a report of it.

import { changesText } from "./changes.js";
import { fillForm, formShown } from "./form.js";
import { closeReport, showReport } from "./report.js";

// `opened` is what the server made of them (opening.js).
export function take(opened, title) {
  const before = formShown();
  fillForm(opened.values);
  const changes = changesText(before, { ...before, ...opened.values }, ...fieldsOfPage());
  const undo = { label: "Undo", act: () => closeReport(fillForm(before)) };
  showReport({
    ...opened,
    title,
    changes: changes || "All settings were the same.",
    buttons: changes ? [undo] : [],
  });
}

// The labels and choices of the run's controls and of a lane's fields, by name.
function fieldsOfPage() {
  const parts = window.gradio_config.components.map(({ props }) => props);
  const { spec } = parts.find(({ elem_id: id }) => id === "lanes").props;
  const ofLanes = spec.groups.flatMap(({ fields }) => fields).map((field) => [field.name, field]);
  const { value: names } = parts.find(({ elem_id: id }) => id === "history");
  const ofRun = names
    .filter((name) => name !== "lanes")
    .map((name) => [name, parts.find(({ elem_id: id }) => id === name)]);
  return [Object.fromEntries(ofRun), Object.fromEntries(ofLanes)];
}
