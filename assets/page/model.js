// The title, and whether the model is there yet.

const SAYS = { loading: "loading model…", ready: "" };

export function mount({ element, props, watch }) {
  const status = element.querySelector("[role=status]");
  const show = () => {
    const { state } = props.value;
    status.dataset.state = state;
    status.textContent = SAYS[state] ?? state;
  };
  watch("value", show);
  show();
}
