// The server's answer to every change of the form: problems, findings, curves and what belongs to them.
// This component is invisible; modules that show parts of the answer follow it in the store.

import { set } from "./store.js";

export function mount({ props, watch }) {
  function receive() {
    if (!props.value) return; // a failed request
    const answer = { ...props.value };
    set(answer.figure ? { answer, curves: answer } : { answer });
  }

  watch("value", receive);
  receive();
}
