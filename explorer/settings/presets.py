"""Arguments of the two schedulers that make a run equal that of another program."""

# A1111 and ComfyUI take the sigmas from the training table by logarithm, from its first to its last
# timestep, tell the model fractional timesteps, and for DPM2 and DPM2 a build one step more and
# leave the penultimate sigma out. (ComfyUI's first latent is sqrt(sigma^2 + 1) wide where ours and
# A1111's is sigma: 0.2 % at Stable Diffusion's sigma_max. Noise differs with each program's RNG.)
AS_A1111 = {
    "timestep_spacing": "linspace",
    "interpolation_type": "log_linear",
    "round_timesteps": False,
    "discard_penultimate_sigma": True,
    "final_sigmas_type": "zero",
    "midpoint_ratio": 0.5,
}

# ComfyUI's kl_optimal ends at sigma_min, which leaving the penultimate sigma out takes away again:
# the list that is ours from the start. A1111's ends at sigma_min and not at 0, by two calls.
KL_OPTIMAL_AS_COMFYUI = {"discard_penultimate_sigma": False}
