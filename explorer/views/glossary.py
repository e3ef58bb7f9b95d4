"""The field's words, and this program's, as readers of its tables and sentences meet them."""

GLOSSARY: dict[str, str] = {
    "sampler": "the method that goes from noise to a picture by repeated model calls; diffusers "
    "calls it the scheduler",
    "DPM2": "DPM-Solver-2 as k-diffusion has it: a step of second order with a model call at its "
    "beginning and one at its midpoint (sample_dpm_2, KDPM2DiscreteScheduler)",
    "DPM2 a": "its ancestral form: each step goes lower than the next noise level and adds fresh "
    "noise up to it (sample_dpm_2_ancestral, KDPM2AncestralDiscreteScheduler)",
    "lane": "one sampler with its settings; a run has one to sixteen, the page up to six, denoised "
    "side by side",
    "call": "one evaluation of the network (NFE counts them); guidance doubles its batch, not the "
    "count",
    "step": "one interval of the schedule; DPM2 makes two calls in it, Euler one",
    "midpoint": "the noise level inside a step at which the second call is made",
    "latent": "the tensor that is denoised, (batch, channels, height / 8, width / 8)",
    "denoised": "the network's prediction of the clean latent at one call (x0)",
    "noise level": "sigma, the standard deviation of the noise in the latent",
    "sigma": "the noise level, in units of the data: a latent is clean + sigma x noise",
    "timestep": "what the network is told in place of sigma: a place in its training schedule",
    "schedule": "the noise levels of a run, from the highest to 0",
    "schedule type": "the rule that places them: Karras, exponential, beta and others",
    "rho": "how strongly Karras's schedule favours low noise levels; 7 is usual",
    "eta": "the share of fresh noise in an ancestral step: 0 is none, 1 all that is possible",
    "sigma_down": "the level to which an ancestral step goes before noise is added",
    "sigma_up": "the standard deviation of the noise that it adds",
    "churn": "noise that is added before a step and removed by it (Karras et al. 2022)",
    "spacing": "which training timesteps a schedule visits: linspace, leading or trailing",
    "log SNR": "the logarithm of the signal-to-noise ratio, -2 ln sigma",
    "prediction type": "what the network was trained to predict: epsilon (the noise), v, or the "
    "clean sample",
    "zero terminal SNR": "a training that ends in pure noise (Lin et al. 2023)",
    "CFG": "classifier-free guidance: the difference that the prompt makes, times CFG scale",
    "baseline": "one of diffusers' own schedulers, run as a lane for comparison",
    "finding": "one thing that the doctor says about settings before a run",
    "recording, trajectory": "all calls of a lane with their latents and predictions, in host "
    "memory",
}


def glossary_text() -> str:
    """All words with their meanings, a line each, as Markdown."""
    return "\n".join(f"- **{word}**: {meaning}." for word, meaning in GLOSSARY.items())
