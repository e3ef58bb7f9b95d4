// The body of every part's js_on_load: fetches the part's module and hands the part over to it.
import(`${window.gradio_config.root}/page/${props.module}`).then(({ mount }) =>
  mount({ element, props, watch, server, trigger }),
);
