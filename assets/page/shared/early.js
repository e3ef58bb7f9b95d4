// Runs in the page's head, before anything is drawn: where a form may be brought back, or a link opened, the
// settings stay hidden until history.js has filled them in. Who has kept nothing and opens no link is here
// for the first time: the recorded example and its pictures are fetched while the page is still built, as
// the page's modules are.

(() => {
  const STORED = "sampler-explorer.form";
  const PATIENCE_MS = 5000; // with a server that does not answer
  const RUN = "sampler-explorer.run";
  const root = document.documentElement;
  let kept = new URLSearchParams(location.search).has("s");
  let known = kept || Boolean(history.state?.samplerExplorer?.run);
  try {
    kept ||= Boolean(sessionStorage.getItem(STORED) || localStorage.getItem(STORED));
    known ||= kept || Boolean(sessionStorage.getItem(RUN) || localStorage.getItem(RUN));
  } catch {
    // a browser without storage keeps nothing
  }
  root.toggleAttribute("data-beginning", kept);
  setTimeout(() => root.removeAttribute("data-beginning"), PATIENCE_MS);
  if (!known) window.samplerExplorerFirst = first();
  preload();

  // The modules import each other seven deep: asked for at once they come in one turn, while Gradio's own
  // scripts are read.
  function preload() {
    for (const name of window.samplerExplorerModules) {
      const link = Object.assign(document.createElement("link"), { rel: "modulepreload" });
      link.href = `${window.gradio_config.root}/page/${name}`;
      document.head.append(link);
    }
  }

  // {opened, problem}: the example as the server opens it, or a sentence on why it cannot be shown.
  async function first() {
    try {
      const response = await fetch(`${window.gradio_config.root}/examples/first`);
      const answer = await response.json();
      if (!response.ok) return { problem: answer.message };
      for (const lane of answer?.result.lanes ?? []) [lane.denoised, lane.image, lane.noisy].forEach(fetched);
      return { opened: answer };
    } catch {
      return {}; // a server that does not answer says so elsewhere
    }
  }

  // Film.js finds them in the browser's cache.
  async function fetched(path) {
    if (!path || path.startsWith("data:")) return;
    const response = await fetch(`${window.gradio_config.root}/${path}`).catch(() => null);
    await response?.blob().catch(() => null);
  }
})();
