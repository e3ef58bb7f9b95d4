// A sentence under the prompt.

export function mount({ element, props, watch }) {
  const sentence = element.querySelector(".sentence");
  const show = () => (sentence.textContent = props.value ?? "");
  watch("value", show);
  show();
}
