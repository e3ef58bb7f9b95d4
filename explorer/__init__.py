"""Sampler Explorer: the DPM2 and DPM2 a diffusion samplers, opened up while they denoise."""
