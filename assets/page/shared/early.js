// Runs in the page's head, before anything is drawn: where a form may be brought back, or a link opened, the
// settings stay hidden until history.js has filled them in.

(() => {
  const STORED = "sampler-explorer.form";
  const PATIENCE_MS = 5000; // with a server that does not answer
  const root = document.documentElement;
  let kept = new URLSearchParams(location.search).has("s");
  try {
    kept ||= Boolean(sessionStorage.getItem(STORED) || localStorage.getItem(STORED));
  } catch {
    // a browser without storage keeps nothing
  }
  root.toggleAttribute("data-beginning", kept);
  setTimeout(() => root.removeAttribute("data-beginning"), PATIENCE_MS);
})();
