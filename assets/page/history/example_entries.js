// The recorded examples as entries of the history's row, as long as there is no run in it. Does not touch
// the DOM.

const KEPT = "Finished runs are kept here.";
const EXAMPLES = "Recorded examples, with a claim each.";

// Entries like those of runs; `urlOf` makes an address of a file's path.
export const exampleEntries = (cards, urlOf) =>
  cards.map(({ id, title, claim, thumbnail }) => ({
    ...{ id, claim, isExample: true, name: title, thumbnail: urlOf(thumbnail) },
    ...{ labels: ["recorded example"], prompt: "", state: "done", problem: "", created: "", starred: false },
  }));

// [head, text] beside them: where to look, if one of them is on the stage.
export function besideExamples(cards, shown, keepsRuns) {
  if (shown) return [`${shown.title}.`, shown.look];
  if (cards.length) return ["", keepsRuns ? `${EXAMPLES} ${KEPT}` : EXAMPLES];
  return ["", keepsRuns ? KEPT : ""];
}
