// The form as this browser keeps it: for the tab, which it outlives by a reload, and for the next page,
// which may be of another version of the program. Does not touch the DOM.

const STORED = "sampler-explorer.form";
const LINK = "sampler-explorer.link";

// `storageOf` returns the storage of the tab or of the browser, or throws where there is none; `version`
// is the server's name for its fields and their ranges.
export function makeKept(storageOf, version) {
  const parts = { tab: "sessionStorage", browser: "localStorage" };

  // Keep the form; returns false where the browser has no room for it.
  function keep(form) {
    const text = JSON.stringify({ version, form });
    return Object.values(parts).map((part) => put(part, STORED, text)).every(Boolean);
  }

  function put(part, key, text) {
    try {
      storageOf(part).setItem(key, text);
      return true;
    } catch (error) {
      return error?.name !== "QuotaExceededError"; // without storage nothing is promised
    }
  }

  function get(part, key) {
    try {
      return storageOf(part).getItem(key);
    } catch {
      return null;
    }
  }

  // {form, current}: the tab's form or else the browser's; `current` if it is of this version.
  function kept() {
    return read(parts.tab) ?? read(parts.browser);
  }

  function read(part) {
    try {
      const { version: of, form } = JSON.parse(get(part, STORED));
      const whole = form && typeof form === "object" && !Array.isArray(form);
      return whole ? { form, current: of === version } : null;
    } catch {
      return null;
    }
  }

  // May anything be kept? A browser can forbid it.
  function isPossible() {
    try {
      return Boolean(storageOf(parts.tab) || storageOf(parts.browser));
    } catch {
      return false;
    }
  }

  return {
    keep,
    kept,
    isPossible,
    // A link that this tab has opened or made already.
    noteLink: (link) => put(parts.tab, LINK, link),
    hasOpened: (link) => get(parts.tab, LINK) === link && read(parts.tab) !== null,
  };
}

export const keptBy = (version = "") => makeKept((part) => window[part], version);
