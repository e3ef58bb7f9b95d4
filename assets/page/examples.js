// Prompts to click: they go into the prompt box as if typed.

export function mount({ element, props }) {
  const list = element.querySelector(".examples");
  for (const text of props.value) {
    const button = Object.assign(document.createElement("button"), { type: "button" });
    button.textContent = text;
    button.addEventListener("click", () => type(document.querySelector("#prompt textarea"), text));
    list.appendChild(document.createElement("li")).append(button);
  }
}

function type(box, text) {
  box.value = text;
  box.dispatchEvent(new Event("input", { bubbles: true }));
}
