// What the pictures on screen show, in words. Does not touch the DOM.

export const GAIN = 4; // of a change, and of a difference: what it multiplies them by

const OF_VIEW = {
  denoised: "denoised: the model's prediction of the clean latent at this call, decoded",
  noisy: "noisy: the latent ÷ √(σ² + 1), decoded; of noise a decoder can make soft blotches",
  change: `change since the call before, ×${GAIN}, of denoised; grey where there is none`,
};

// `names` are the letters of the two lanes that are compared; `latent` is what the view of that name draws,
// see `describeLatent`.
export function caption({ view, mode = "side", names = [], latent = "" }) {
  const what = view === "latent" ? `latent: ${latent}` : OF_VIEW[view];
  if (mode === "difference") {
    const of = { change: "of their changes", latent: "on the latents' grey scale" }[view] ?? `of ${view}`;
    return `${names[0]} minus ${names[1]}, ×${GAIN}, ${of}; grey where they are equal`;
  }
  return mode === "slider" ? `${names[0]} | ${names[1]}, ${what}` : what;
}

export const LIVE = "live: the model's newest prediction of the clean latent, decoded";
export const BACK = "the run goes on; here an earlier prediction of the clean latent, decoded";

// `low` and `high` are the ends of the grey scale, of all lanes on screen; `channels` is how many there are.
export function describeLatent({ low, high, channels, finite }) {
  const ends = `black ${number(low)} to white ${number(high)}`;
  const broken = finite ? "" : "; NaN and infinite numbers are black";
  return `its ${channels} channels on one grey scale, ${ends} in all lanes at this call${broken}`;
}

const number = (value) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(1)).replace("-", "\u2212");
