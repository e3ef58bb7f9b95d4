// The sidebar's head: the title, and when the sidebar gives way.

import { on } from "./store.js";

const PHONE = "(max-width: 767px)"; // where Gradio's sidebar covers the whole page

export function mount() {
  const sidebar = document.querySelector("#settings");
  const giveWay = () => {
    if (matchMedia(PHONE).matches && sidebar.classList.contains("open")) {
      sidebar.querySelector(".toggle-button").click();
    }
  };

  giveWay();
  sidebar.toggleAttribute("data-ready", true);
  on("begin", giveWay);
}
