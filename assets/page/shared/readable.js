// The state for tests and extensions: samplerExplorer.state, .call, .calls and .frame.

import { state } from "./store.js";

export const readable = {
  get state() {
    return state.run.state;
  },
  get call() {
    return state.run.call;
  },
  get calls() {
    return state.run.calls;
  },
  get frame() {
    return state.run.frame;
  },
};
window.samplerExplorer = readable;
