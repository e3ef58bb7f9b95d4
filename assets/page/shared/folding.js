// A head that opens and closes what lies below it: a button in an element that has the state.

// `pressed`, called with what the state would be, decides what a press does; by default it does that.
export function makeFold(element, head, pressed) {
  const isOpen = () => element.hasAttribute("data-open");

  function open(is) {
    element.toggleAttribute("data-open", is);
    head.setAttribute("aria-expanded", is);
  }

  head.addEventListener("click", () => (pressed ?? open)(!isOpen()));
  return { isOpen, open };
}
