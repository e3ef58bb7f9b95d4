// The whole form as plain data by field: Gradio tells of every change, and all controls can be filled
// at once, whatever kind they are. Whatever the page itself sets goes through here, and Gradio tells
// the server of it as of any other change. The lanes are the field "lanes": {lanes: [{field: value}], same}.

import { emit } from "../shared/signals.js";
import { set, state, subscribe } from "../shared/store.js";

const UNCHANGED = { __type__: "update" }; // to Gradio
const SETTLED_MS = 20; // what belongs to one change of several controls comes together

let names = []; // of the fields, in the order of the controls
let trigger = null; // asks Gradio for its events "ask" and "fill"
let wanted = null; // what the form is to hold, until Gradio fetches it
let asked = null; // what Gradio has fetched for the lanes' table, until that holds it
let timer = 0;

// What the controls show. Gradio tells of no change once it has lost the server: what has been typed
// since, and changed in the table, is read from the boxes themselves.
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

// `part` is history.js', whose Gradio component has the two events.
export function connect(part) {
  names = part.names;
  trigger = part.trigger;
  trigger("ask");
}

// Make the controls hold these values; fields that are not named keep theirs.
export function fillForm(values) {
  wanted = { ...wanted, ...values };
  if (state.form) trigger("fill"); // else as soon as the form is known
}

// The same for settings of lanes as well: those of one, counted from 0, or, where `lane` is null, of all.
// Returns what the lanes' table will hold; null before there is one.
export function applySettings(lane, values) {
  if (!state.lanes.value) return null;
  const { lanes, same } = structuredClone(wanted?.lanes ?? asked ?? state.lanes.value);
  const ofLanes = Object.keys(values).filter((field) => field in lanes[0]);
  for (const field of ofLanes) {
    const all = lane === null || (same && field !== "sampler");
    for (const each of all ? lanes : [lanes[lane]]) if (each) each[field] = values[field];
  }
  const others = Object.entries(values).filter(([field]) => !ofLanes.includes(field));
  fillForm({ ...Object.fromEntries(others), ...(ofLanes.length && { lanes: { lanes, same } }) });
  return { lanes, same };
}

subscribe("lanes", () => (asked = null));

// Gradio calls these two.
window.samplerExplorerForm = {
  wanted() {
    const values = names.map((name) => (wanted && name in wanted ? wanted[name] : UNCHANGED));
    asked = wanted?.lanes ?? asked;
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
