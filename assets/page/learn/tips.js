// What the page's marks, numbers, views and switches mean: {text, code} by the key in `data-tip`.
// Settings are not here: their help comes with their fields (explorer/settings).

export const TIPS = {
  // The bar
  run: { text: "Denoise all lanes from the same noise, with the settings on the left." },
  stop: { text: "Stop the run after the current model call. What was recorded until then stays." },
  seed: { text: "The number from which the start noise is drawn. The same seed and settings give the same pictures." },
  "seed.dice": { text: "Draw another seed." },
  "seed.lock": { text: "Keep this seed for every run. Unlocked, each run draws its own; the setting is then -1." },
  save: { text: "Save the run: as a file that repeats it, an animation, a web page, or a lane as Python." },
  copy_link: { text: "Copy an address that opens this page with these settings." },

  start_picture: { text: "A picture to begin from instead of pure noise; strength says how much of it is replaced by noise." },

  // Views
  "view.denoised": { text: "The model's prediction of the finished picture at this call.", code: "denoised, x0, pred_original_sample" },
  "view.noisy": { text: "The latent that the model is given at this call, noise and all, decoded to a picture.", code: "x_t" },
  "view.latent": { text: "The numbers of the latent itself: one grey picture for each of its channels." },
  "view.change": { text: "What this call changed: its prediction minus that of the call before, four times as strong. Grey is no change." },
  "compare.side": { text: "One picture for each lane, side by side." },
  "compare.slider": { text: "Two lanes in one picture: drag the line to see more of one or the other." },
  "compare.difference": { text: "One lane's picture minus another's, four times as strong. Grey is no difference." },
  "align.step": { text: "Show all lanes at the same step. A lane with fewer steps waits at its last one." },
  "align.sigma": { text: "Show each lane at the call whose sigma is nearest, so that all have the same amount of noise." },
  scrubber: { text: "Every model call of the run, from pure noise at the left to the finished picture at the right." },
  play: { text: "Play the calls one after the other." },
  "play.speed": { text: "How fast the calls are played." },
  "play.loop": { text: "Begin again after the last call." },
  "play.live": { text: "Follow the run: show its newest call." },

  // Numbers under a picture
  "fact.call": { text: "Which evaluation of the network this is. N steps of DPM2 or DPM2 a are 2N-1 calls.", code: "NFE" },
  "fact.step": { text: "Which interval of the schedule this is; 7 1/2 is the second call of step 7, at its midpoint." },
  "fact.sigma": { text: "The noise level: the standard deviation of the noise in the latent at this call.", code: "sigma" },
  "fact.timestep": { text: "The noise level in the form that the network takes: its place among the training steps, 999 to 0.", code: "t" },
  "badge.stale": { text: "A setting was changed after this run. Run makes pictures with the new settings." },
  "badge.approximate": { text: "Linear colours: the run was stopped before this frame was made in full." },
  "badge.recorded": { text: "This run was recorded beforehand and comes with the page; nothing was computed for you. Run repeats it." },

  // The plot: what it draws
  "curve.sigma": { text: "The noise level at each call. This is the schedule that the sampler walks down." },
  "curve.log_snr": { text: "The logarithm of signal to noise, -2 ln sigma. Equal distances are equal work for DPM2." },
  "curve.alpha_bar": { text: "The share of the picture in the latent's variance, 1 / (1 + sigma²).", code: "alphas_cumprod" },
  "curve.step_size": { text: "How far each step goes in log sigma. A step that is much wider than the others makes the larger error." },
  "curve.noise": { text: "How much of the latent's noise was drawn anew, in each step and since the start. DPM2 draws none." },
  "x.step": { text: "Steps from left to right, all equally wide." },
  "x.timestep": { text: "The timestep that the network is given, from 999 down to 0." },
  "x.log_sigma": { text: "The noise level itself, so that lanes of different length can be compared at the same noise." },
  "y.log": { text: "Equal distances are equal ratios. The final 0 cannot be shown on it." },
  "y.linear": { text: "Equal distances are equal differences. The final 0 is on it; the low sigmas lie close together." },
  "plot.relative": { text: "Draw every lane relative to lane A, which becomes a straight line: sigma and step size divided by A's, the other curves minus A's." },
  "plot.pin": { text: "Keep these curves as thin lines behind those of the next settings." },
  "plot.edit": { text: "Move the points of a schedule by hand; the lane then has its own list of sigmas.", code: "sigmas" },
  "plot.lane": { text: "The lane's curve. Press to hide or show it." },

  // The plot: its marks
  "mark.sigma": { text: "The noise level at the beginning of a step, where its first model call is made.", code: "sigma" },
  "mark.midpoint": { text: "The second model call of a step, halfway in log sigma: the geometric mean of where the step begins and where it goes.", code: "sigma_mid" },
  "mark.second_call": { text: "The second model call of a step.", code: "sigma_mid" },
  "mark.sigma_down": { text: "How far an ancestral step denoises: below the next sigma, to make room for fresh noise.", code: "sigma_down" },
  "mark.sigma_up": { text: "The standard deviation of the fresh noise that an ancestral step adds: next² = down² + up².", code: "sigma_up" },
  "mark.sigma_hat": { text: "The sigma to which churn raises the latent before a step.", code: "sigma_hat" },
  "mark.log_snr": { text: "Log signal to noise at the beginning of a step." },
  "mark.alpha_bar": { text: "The share of the picture in the variance at the beginning of a step." },
  "mark.step_size": { text: "The width of a step, ln(sigma / next sigma)." },
  "mark.new_in_this_step": { text: "The share of the latent's noise that this step draws." },
  "mark.new_since_the_start": { text: "The share of the latent's noise that was drawn since the run began." },
  "mark.left_out": { text: "Steps that a start picture leaves out." },

  // The table
  "column.call": { text: "Which model call of the lane this is." },
  "column.step": { text: "The step; 1/2 is its second call." },
  "column.sigma": { text: "The noise level at which the model is called.", code: "sigma" },
  "column.sigma_next": { text: "Where the step ends.", code: "sigma_next" },
  "column.sigma_mid": { text: "Where the step makes its second call.", code: "sigma_mid" },
  "column.sigma_down": { text: "How far an ancestral step denoises before it adds noise.", code: "sigma_down" },
  "column.sigma_up": { text: "The standard deviation of the noise that an ancestral step adds.", code: "sigma_up" },
  "column.timestep": { text: "The timestep that the network is given.", code: "t" },
  "column.alpha_bar": { text: "The share of the picture in the variance, 1 / (1 + sigma²).", code: "alphas_cumprod" },
  "column.log_snr": { text: "The logarithm of signal to noise, -2 ln sigma." },
  "column.a1111": { text: "The sigma that A1111 and ComfyUI would use with the same settings, where it differs." },
  "table.copy": { text: "Copy the calls for a spreadsheet, or the sigmas as A1111, ComfyUI or diffusers take them." },
  "table.csv": { text: "Save the calls of all lanes as a file of comma-separated values." },
  "table.as_a1111": { text: "Run the lane with the sigmas that A1111 and ComfyUI use: one more is made, and the last one before 0 left out." },
  "column.none": { text: "This sampler has no such value." },

  // Tabs and lanes
  "tab.schedule": { text: "The noise levels of all lanes as curves." },
  "tab.table": { text: "Every model call in numbers, to copy or to save." },
  "tab.learn": { text: "Recorded examples, and six short texts on how these samplers work." },
  "tab.doctor": { text: "What these settings will do to the pictures, before you run them." },
  "tab.lanes": { text: "The settings of all lanes, side by side." },
  "lanes.add": { text: "Compare with one more sampler or setting; all lanes start from the same noise." },
  "lanes.same": { text: "All lanes have lane A's settings and differ only in their sampler." },
  "lanes.line": { text: "A lane: its sampler, and what differs in its settings." },
};
