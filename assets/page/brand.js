// The sidebar's head: the title, whether the model is there yet, and when the sidebar gives way.

import { on } from "./store.js";

const ABSENT = /^absent: /; // the engine's state then goes on with a sentence
const PHONE = "(max-width: 767px)"; // where Gradio's sidebar covers the whole page

export function mount({ element, props, watch }) {
  const status = element.querySelector("[role=status]");
  const sidebar = document.querySelector("#settings");

  const show = () => {
    const state = props.value;
    status.toggleAttribute("data-absent", ABSENT.test(state));
    status.textContent = { loading: "loading model…", ready: "" }[state] ?? state.replace(ABSENT, "");
  };
  const giveWay = () => {
    if (matchMedia(PHONE).matches && sidebar.classList.contains("open")) {
      sidebar.querySelector(".toggle-button").click();
    }
  };

  giveWay();
  sidebar.toggleAttribute("data-ready", true);
  on("begin", giveWay);
  watch("value", show);
  show();
}
