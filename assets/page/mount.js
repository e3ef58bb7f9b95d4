// The body of every part's js_on_load: fetches the part's module and hands the part over to it.
const { root, api_prefix } = window.gradio_config;
import(`${root}${api_prefix}/file=${props.module}`).then(({ mount }) =>
  mount({ element, props, watch, server, trigger }),
);
