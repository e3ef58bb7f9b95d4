// The sidebar's head: the title, and when the sidebar closes by itself.

import { tellHelp } from "./help.js";
import { waitForElement } from "../shared/dom.js";
import { afterFirstSight } from "../shared/first_sight.js";
import { stopLoadingSign } from "../shared/loading_sign.js";
import { on } from "../shared/signals.js";
import { onNewElements, startTips } from "../shared/tip.js";

const PHONE = "(max-width: 767px)"; // where Gradio's sidebar covers the whole page

const PATIENCE_MS = 4000; // after which the settings are shown even if some are missing

export async function mount() {
  const sidebar = document.querySelector("#settings");
  const giveWay = () => {
    if (matchMedia(PHONE).matches && sidebar.classList.contains("open")) {
      sidebar.querySelector(".toggle-button").click();
    }
  };

  // Hidden controls take no Tab stop.
  const content = sidebar.querySelector(".sidebar-content");
  const hide = () => (content.inert = !sidebar.classList.contains("open"));
  new MutationObserver(hide).observe(sidebar, { attributeFilter: ["class"] });

  giveWay();
  hide();
  onNewElements(() => tellHelp(sidebar));
  startTips();
  const patience = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
  await Promise.race([patience, Promise.all([waitForElement("#seed input"), waitForElement(".lane-grid")])]);
  sidebar.toggleAttribute("data-ready", true);
  afterFirstSight().then(stopLoadingSign);
  on("progress", giveWay); // not before the run is accepted: a refusal refers to the settings
}
