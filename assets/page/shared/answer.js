// The server's answer to every change of the form: problems, findings, curves and what belongs to them.
// This part has no look of its own; whoever shows some of the answer follows it in the store.

import { set } from "./store.js";

export function mount({ props, watch }) {
  function receive() {
    if (!props.value) return; // an answer that failed on its way
    const answer = { ...props.value };
    set(answer.figure ? { answer, curves: answer } : { answer });
  }

  watch("value", receive);
  receive();
}
