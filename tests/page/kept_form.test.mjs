import assert from "node:assert/strict";
import { test } from "node:test";

import { makeKept } from "../../assets/page/settings/kept_form.js";

// Storage as a browser has it: a tab's, and its own.
function makeBrowser() {
  const parts = { sessionStorage: new Map(), localStorage: new Map() };
  const storage = (map) => ({
    getItem: (key) => map.get(key) ?? null,
    setItem: (key, text) => map.set(key, text),
  });
  return {
    parts,
    of: (part) => storage(parts[part]),
    newTab: () => parts.sessionStorage.clear(),
  };
}

const FORM = { prompt: "a boat", steps: 9, lanes: { lanes: [{ rho: 7 }], same: true } };

test("a form comes back to its tab, to the next one, and to another version", () => {
  const browser = makeBrowser();
  const kept = makeKept(browser.of, "one");
  assert.ok(kept.isPossible());
  assert.equal(kept.kept(), null);
  assert.ok(kept.keep(FORM));
  assert.deepEqual(kept.kept(), { form: FORM, current: true });
  browser.newTab();
  assert.deepEqual(kept.kept(), { form: FORM, current: true });
  assert.deepEqual(makeKept(browser.of, "two").kept(), { form: FORM, current: false });
});

test("a tab keeps its own form beside another's", () => {
  const browser = makeBrowser();
  const kept = makeKept(browser.of, "one");
  kept.keep(FORM);
  browser.parts.localStorage.set("sampler-explorer.form", JSON.stringify({ version: "one", form: { steps: 3 } }));
  assert.equal(kept.kept().form.steps, 9);
  browser.newTab();
  assert.equal(kept.kept().form.steps, 3);
});

test("what is no form is none", () => {
  const browser = makeBrowser();
  const kept = makeKept(browser.of, "one");
  for (const text of ["", "{", "null", "3", "[]", '{"form": 3}', '{"form": []}', '{"version": "one"}', "<script>"]) {
    browser.parts.localStorage.set("sampler-explorer.form", text);
    assert.equal(kept.kept(), null, text);
  }
});

test("without storage nothing is kept and nothing fails", () => {
  const none = makeKept(() => {
    throw new DOMException("forbidden", "SecurityError");
  }, "one");
  assert.equal(none.isPossible(), false);
  assert.ok(none.keep(FORM)); // nothing was promised
  assert.equal(none.kept(), null);
  none.noteLink("1.AA");
  assert.equal(none.hasOpened("1.AA"), false);
});

test("a storage that is full is said to be", () => {
  const full = makeKept(
    () => ({
      setItem() {
        throw new DOMException("full", "QuotaExceededError");
      },
    }),
    "one",
  );
  assert.equal(full.keep(FORM), false);
});

test("a link counts once for a tab", () => {
  const browser = makeBrowser();
  const kept = makeKept(browser.of, "one");
  kept.noteLink("1.AA");
  assert.equal(kept.hasOpened("1.AA"), false); // nothing was made of it yet
  kept.keep(FORM);
  assert.ok(kept.hasOpened("1.AA"));
  assert.equal(kept.hasOpened("1.BB"), false);
  browser.newTab();
  assert.equal(kept.hasOpened("1.AA"), false);
});
