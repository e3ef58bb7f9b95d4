// What a run has shown while it goes on: the lanes' newest predictions, kept so that one can look back. Does
// not touch the DOM.

const MOST_CHARACTERS = 24e6; // of pictures as data URLs; older moments are thinned out beyond it

export class Moments {
  #kept = []; // { calls, previews }, by lane, the oldest first
  #most;

  constructor(most = MOST_CHARACTERS) {
    this.#most = most;
  }

  get count() {
    return this.#kept.length;
  }

  get newest() {
    return this.#kept.at(-1) ?? null;
  }

  get characters() {
    return this.#kept.reduce((sum, { previews }, at) => sum + charactersOf(previews, this.#kept[at - 1]), 0);
  }

  // `calls` is the index of each lane's newest call, -1 before its first; `previews` are data URLs, or null.
  add(calls, previews) {
    const { newest } = this;
    // A lane whose picture is still the same shares it with the moment before.
    const shared = calls.map((_, lane) => {
      const [now, then] = [previews[lane] ?? null, newest?.previews[lane] ?? null];
      return now === null || now === then ? then : now;
    });
    if (newest && newest.calls.every((call, lane) => call === calls[lane])) this.#kept.pop();
    this.#kept.push({ calls, previews: shared });
    while (this.#kept.length > 2 && this.characters > this.#most) this.#thin();
  }

  // The moment at which a lane had made this call, or the newest before it, or else the first.
  at(call, lane) {
    return this.#kept.findLast(({ calls }) => calls[lane] <= call) ?? this.#kept[0] ?? null;
  }

  // Every second one goes, but for the first and the newest.
  #thin() {
    const last = this.#kept.length - 1;
    this.#kept = this.#kept.filter((_, at) => at % 2 === 0 || at === last);
  }
}

const charactersOf = (previews, before) =>
  previews.reduce((sum, url, lane) => sum + (url && url !== before?.previews[lane] ? url.length : 0), 0);
