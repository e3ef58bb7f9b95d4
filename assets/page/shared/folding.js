// A head that opens and closes the content below it: a button in an element that has the state.

// `pressed`, called with the next state, decides what a press does; by default it applies that state.
export function makeFold(element, head, pressed) {
  const isOpen = () => element.hasAttribute("data-open");

  function open(is) {
    element.toggleAttribute("data-open", is);
    head.setAttribute("aria-expanded", is);
  }

  head.addEventListener("click", () => (pressed ?? open)(!isOpen()));
  return { isOpen, open };
}
