// A text to the clipboard; false where the browser allows that to no page, as on plain http.

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
