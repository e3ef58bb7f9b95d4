// Runs in the page's head, before anything is drawn: where a form may be brought back, or a link opened, the
// settings stay hidden until history.js has filled them in. Who has kept nothing and opens no link is here
// for the first time: the recorded example and its pictures are fetched while the page is still built, as
// the page's modules are. Where a proxy has the page at an address that its server does not know, nothing of
// this would arrive, and the page says what the server has to be told.

(() => {
  const problem = misplaced();
  if (problem) {
    const said = Object.assign(document.createElement("p"), { id: "misplaced", textContent: problem });
    said.setAttribute("role", "alert");
    const show = () => document.body.prepend(said);
    document.body ? show() : addEventListener("DOMContentLoaded", show);
    return;
  }
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

  // A sentence where the server takes another address for the page's than the browser does, or "". Asked for
  // without the proxy's path, a server that knows of it finds its files below that path all the same.
  function misplaced() {
    const known = new URL(window.gradio_config.root, location.href);
    const [here, there] = [location, known].map(({ pathname }) => pathname.replace(/\/+$/, ""));
    if (known.origin !== location.origin) {
      return `This page is at ${location.origin}, and its server takes ${known.origin} for its address: let the \
proxy in front of it send it the headers Host and X-Forwarded-Proto.`;
    }
    if (!here || here === there) return "";
    return `This page is below ${here}, and its server does not know that: start it with --root-path ${here}`;
  }

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
