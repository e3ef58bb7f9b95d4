// The whole form as plain data by field: Gradio reports every change, and all controls can be filled at
// once, whatever kind they are. All changes by the page itself go through here, and Gradio reports them
// to the server like any other change. The lanes are the field "lanes": {lanes: [{field: value}], same}.

import { emit } from "../shared/signals.js";
import { set, state, subscribe } from "../shared/store.js";

const UNCHANGED = { __type__: "update" }; // to Gradio
const SETTLED_MS = 20; // to combine the events of one change of several controls

let names = []; // of the fields, in the order of the controls
let trigger = null; // asks Gradio for its events "ask" and "fill"
let wanted = null; // the values to fill in, until Gradio fetches them
let fetchedLanes = null; // the lanes that Gradio has fetched, until the table has them
let timer = 0;

// The values that the controls show. Gradio reports no changes once it has lost the server: text typed
// since then, and changes in the table, are read from the controls themselves.
export function formShown() {
  if (!state.form) return null;
  const shown = { ...state.form, lanes: state.lanes.value ?? state.form.lanes };
  for (const name of names) {
    const box = document.querySelector(`#${name} ${TEXT}`);
    if (name !== "lanes" && box) shown[name] = box.type === "number" ? numberIn(box) : box.value;
    const menu = document.querySelector(`#${name} [role=combobox]`);
    if (menu) shown[name] = chosenIn(menu, name, shown[name]);
  }
  return shown;
}

// The value of the option that a menu shows; the known one where its label is shown, or no option's.
function chosenIn({ value: text }, name, known) {
  const { props } = window.gradio_config.components.find(({ props }) => props.elem_id === name);
  const values = props.choices.filter(([label]) => label === text).map(([, value]) => value);
  return values.includes(known) || !values.length ? known : values[0];
}

const TEXT = ":is(textarea, input[type=number], input[type=text]:not([role]))";
const numberIn = ({ value }) => (value === "" ? null : Number(value));

// `part` is the component of history.js, which has the two Gradio events.
export function connect(part) {
  names = part.names;
  trigger = part.trigger;
  trigger("ask");
}

// Fill the controls with these values; other fields keep theirs.
export function fillForm(values) {
  wanted = { ...wanted, ...values };
  emit("filling");
  if (state.form) trigger("fill"); // else as soon as the form is known
}

// The same including settings of lanes: of one lane, from 0, or of all if `lane` is null. Returns the
// table's future value; null before there is a table.
export function applySettings(lane, values) {
  if (!state.lanes.value) return null;
  const { lanes, same } = structuredClone(wanted?.lanes ?? fetchedLanes ?? state.lanes.value);
  const ofLanes = Object.keys(values).filter((field) => field in lanes[0]);
  for (const field of ofLanes) {
    const all = lane === null || (same && field !== "sampler");
    for (const each of all ? lanes : [lanes[lane]]) if (each) each[field] = values[field];
  }
  const others = Object.entries(values).filter(([field]) => !ofLanes.includes(field));
  fillForm({ ...Object.fromEntries(others), ...(ofLanes.length && { lanes: { lanes, same } }) });
  return { lanes, same };
}

subscribe("lanes", () => (fetchedLanes = null));

// Gradio calls these two.
window.samplerExplorerForm = {
  wanted() {
    const values = names.map((name) => (wanted && name in wanted ? wanted[name] : UNCHANGED));
    fetchedLanes = wanted?.lanes ?? fetchedLanes;
    wanted = null;
    return plain(values);
  },
  changed(values) {
    if (!names.length) return;
    set({ form: plain(Object.fromEntries(names.map((name, at) => [name, values[at]]))) });
    if (wanted) trigger("fill");
    clearTimeout(timer);
    timer = setTimeout(() => emit("settled", state.form), SETTLED_MS);
  },
};

// Without the watchers that Gradio's page wraps values in.
const plain = (value) => JSON.parse(JSON.stringify(value));
