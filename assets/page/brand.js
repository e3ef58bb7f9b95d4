// The sidebar's head: the title, whether the model is there yet, and when the sidebar gives way.

import { on } from "./store.js";

// The engine's states; the third is "absent: " and a sentence, shown as it is.
const SAYS = { loading: "loading model…", ready: "" };
const PHONE = "(max-width: 767px)"; // where Gradio's sidebar covers the whole page

export function mount({ element, props, watch }) {
  const status = element.querySelector("[role=status]");
  const sidebar = document.querySelector("#settings");

  const show = () => {
    status.textContent = SAYS[props.value] ?? props.value;
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
