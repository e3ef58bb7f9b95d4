// The start picture: kept by this browser, whose local storage is too small for it, and sent again where
// the server has it no longer.

const STORE = "pictures";
const MOST = 4; // of several tabs

// What the form's control holds for a picture's file; throws where the server does not take it.
export async function upload(file, name = file.name || "picture.png") {
  const { root, api_prefix: prefix } = window.gradio_config;
  const form = new FormData();
  form.append("files", file, name);
  const response = await fetch(`${root}${prefix}/upload`, { method: "POST", body: form });
  if (!response.ok) throw new Error((await response.text()) || "The picture could not be sent.");
  const [path] = await response.json();
  return {
    ...{ path, url: `${root}${prefix}/file=${path}`, orig_name: name, size: file.size },
    ...{ mime_type: file.type || null, meta: { _type: "gradio.FileData" } },
  };
}

let newest = ""; // the path of the picture that is kept

export async function keepPicture(picture) {
  const path = picture?.path ?? "";
  if (!path || path === newest) return;
  newest = path;
  try {
    const response = await fetch(picture.url);
    if (!response.ok) return;
    const file = await response.blob();
    await inStore("readwrite", (store) => store.put({ file, name: picture.orig_name, at: Date.now() }, path));
    await inStore("readwrite", forgetOldest);
  } catch {
    // without a database it lives as long as the server has it
  }
}

function forgetOldest(store) {
  const all = store.openCursor();
  const found = [];
  all.onsuccess = () => {
    if (all.result) {
      found.push([all.result.value.at, all.result.key]);
      return all.result.continue();
    }
    found.sort(([one], [other]) => other - one);
    for (const [, key] of found.slice(MOST)) store.delete(key);
  };
  return all;
}

// The control's value for a picture of an earlier page; null if it is gone.
export async function broughtBack(picture) {
  try {
    if ((await fetch(picture.url, { method: "HEAD" })).ok) return picture;
  } catch {
    // an address of another server
  }
  try {
    const kept = await inStore("readonly", (store) => store.get(picture.path));
    return kept ? await upload(kept.file, kept.name || undefined) : null;
  } catch {
    return null;
  }
}

function inStore(mode, act) {
  return new Promise((resolve, reject) => {
    const opened = indexedDB.open("sampler-explorer", 1);
    opened.onupgradeneeded = () => opened.result.createObjectStore(STORE);
    opened.onerror = () => reject(opened.error);
    opened.onsuccess = () => {
      const transaction = opened.result.transaction(STORE, mode);
      const request = act(transaction.objectStore(STORE));
      transaction.oncomplete = () => {
        opened.result.close();
        resolve(request.result);
      };
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    };
  });
}
