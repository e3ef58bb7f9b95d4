// Help for a field: while the pointer rests on its label, or the keyboard has come to its control.

const REST_MS = 350;
const AWAY = 4; // pixels between a label and its help

export function giveTips(table, tip) {
  let timer = 0;
  let byKeyboard = false;

  function close() {
    if (tip.matches(":popover-open")) tip.hidePopover();
  }

  function hide() {
    clearTimeout(timer);
    close();
  }

  function offer(row) {
    hide();
    const label = row?.querySelector(".label");
    const text = label?.querySelector("[id]")?.textContent;
    if (!text) return;
    timer = setTimeout(() => {
      tip.textContent = text;
      tip.showPopover(); // in the top layer: the table, which scrolls, would cut it off
      const box = label.getBoundingClientRect();
      const below = box.bottom + AWAY;
      const top = below + tip.offsetHeight > innerHeight ? box.top - AWAY - tip.offsetHeight : below;
      Object.assign(tip.style, { left: `${box.left}px`, top: `${top}px` });
    }, REST_MS);
  }

  table.addEventListener("pointerover", ({ target }) => {
    if (target.closest(".field .label")) offer(target.closest(".field"));
  });
  table.addEventListener("pointerout", hide);
  table.addEventListener("pointerdown", hide);
  document.addEventListener("keydown", ({ key }) => {
    byKeyboard = key === "Tab";
    if (key === "Escape") hide();
  });
  document.addEventListener("pointerdown", () => (byKeyboard = false));
  table.addEventListener("focusin", ({ target }) => byKeyboard && offer(target.closest(".field")));
  table.addEventListener("focusout", hide);
  table.addEventListener("input", hide);
  document.addEventListener("scroll", close, true);
}
