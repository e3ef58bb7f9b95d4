// The page's first stop of the Tab key: past all settings to the button that runs them.

export function mount({ element }) {
  element.querySelector("a").addEventListener("click", (click) => {
    click.preventDefault(); // the address keeps its query and gets no fragment
    document.querySelector("#run").focus();
  });
}
