// The body of every component's js_on_load: imports the component's module and calls its `mount`.
import(`${window.gradio_config.root}/page/${props.module}`).then(({ mount }) =>
  mount({ element, props, watch, server, trigger }),
);
