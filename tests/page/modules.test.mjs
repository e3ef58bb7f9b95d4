// Every import of the page's modules is there: a browser would say so to nobody.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const PAGE = fileURLToPath(new URL("../../assets/page", import.meta.url));
const modules = readdirSync(PAGE, { recursive: true }).filter((name) => name.endsWith(".js"));
const IMPORT = /^import (?:\{([^}]*)\} from )?"([^"]+)";$/gm;

const read = (path) => readFileSync(path, "utf-8");
const names = (list) => (list ?? "").split(",").map((name) => name.split(" as ")[0].trim()).filter(Boolean);
const exportsOf = (path) => [
  ...[...read(path).matchAll(/^export (?:async )?(?:const|function|class) (\w+)/gm)].map(([, name]) => name),
  ...[...read(path).matchAll(/^export const \{([^}]*)\}/gm)].flatMap(([, list]) => names(list)),
];

for (const name of modules) {
  test(`${name} imports what there is, and uses it`, () => {
    const text = read(join(PAGE, name));
    const lines = text.split("\n").filter((line) => line.startsWith("import "));
    const imports = [...text.matchAll(IMPORT)];
    assert.equal(imports.length, lines.length, "an import that this test cannot read");
    for (const [line, list, path] of imports) {
      const has = exportsOf(join(PAGE, dirname(name), path));
      for (const each of names(list)) {
        assert.ok(has.includes(each), `${each} of ${path}`);
        assert.ok(new RegExp(`\\b${each}\\b`).test(text.replace(line, "")), `${each} is used`);
      }
    }
  });
}
