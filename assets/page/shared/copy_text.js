// A text, or a promise of one, to the clipboard; false where the browser allows that to no page, as on
// plain http. Rejects where the promise does.

export async function copyText(text) {
  const promised = Promise.resolve(text);
  try {
    // Safari copies what comes later only if it was promised during the click.
    const file = promised.then((plain) => new Blob([plain], { type: "text/plain" }));
    await navigator.clipboard.write([new ClipboardItem({ "text/plain": file })]);
    return true;
  } catch {
    const plain = await promised;
    return navigator.clipboard?.writeText(plain).then(
      () => true,
      () => false,
    ) ?? false;
  }
}
