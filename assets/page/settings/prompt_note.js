// A note under the prompt: words that the model does not know, or why the prompt is invalid.

export function mount({ element, props, watch }) {
  const sentence = element.querySelector(".sentence");
  const show = () => {
    const { text, wrong } = props.value;
    sentence.textContent = text;
    sentence.toggleAttribute("data-wrong", wrong);
  };
  watch("value", show);
  show();
}
