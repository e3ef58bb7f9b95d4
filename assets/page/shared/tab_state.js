// What a tab keeps where it may keep nothing else: beside its address in the browser's list of pages, which
// a reload and the way back leave as it is.

const KEY = "samplerExplorer";

export const tabState = () => history.state?.[KEY] ?? {};

export function setTabState(values) {
  history.replaceState({ ...history.state, [KEY]: { ...tabState(), ...values } }, "");
}
