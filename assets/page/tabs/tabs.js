// The row of tabs below the pictures. All panels stay in the page, each with its size, so that what is
// drawn in one that is not shown is right when it appears; those are hidden and inert.

import { showWorst } from "../doctor/worst.js";
import { waitForElement } from "../shared/dom.js";
import { follow, set, state } from "../shared/store.js";
import { setTabState, tabState } from "../shared/tab_state.js";

const panelOf = (key) => document.querySelector(`#panel_${key}`);

// Open a tab; `focus` moves the focus to it, for those who came by the keyboard.
export function openTab(key, { focus = false } = {}) {
  if (!panelOf(key)) return;
  set({ tab: key });
  if (focus) document.querySelector(`#tab_${key}`).focus();
}

export async function mount({ element }) {
  const list = element.querySelector(".tab-list");
  const tabs = [...list.querySelectorAll("[role=tab]")];
  const keys = tabs.map(({ dataset }) => dataset.tab);

  await Promise.all(keys.map((key) => waitForElement(`#panel_${key}`)));
  for (const key of keys) {
    panelOf(key).setAttribute("role", "tabpanel");
    panelOf(key).setAttribute("aria-labelledby", `tab_${key}`);
  }

  function show({ tab }) {
    for (const each of tabs) {
      const chosen = each.dataset.tab === tab;
      each.setAttribute("aria-selected", chosen);
      each.tabIndex = chosen ? 0 : -1;
      const panel = panelOf(each.dataset.tab);
      panel.inert = !chosen;
      panel.toggleAttribute("data-open", chosen);
    }
    if (tab !== keys[0] || tabState().tab) setTabState({ tab });
  }

  list.addEventListener("click", ({ target }) => {
    const tab = target.closest("[role=tab]");
    if (tab) openTab(tab.dataset.tab);
  });
  list.addEventListener("keydown", (press) => {
    const at = keys.indexOf(state.tab);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[press.key];
    if (to === undefined) return;
    press.preventDefault();
    openTab(keys.at(to % keys.length), { focus: true });
  });

  if (keys.includes(tabState().tab)) set({ tab: tabState().tab });
  follow("tab", show);
  showWorst(element, () => openTab("doctor", { focus: true }));
}
