"""What each finding of the doctor means, whatever its numbers: what happens, and what resolves it.

docs/doctor.md has what the findings do to pictures, where that was measured.
"""

EXPLANATIONS: dict[str, str] = {
    "prediction_differs": "The lane reads the network's output as something other than what it was "
    "trained to predict (noise, v, or the clean sample). If noise is read as a sample, or the "
    "reverse, the picture is lost; use the model's own prediction type.",
    "betas_differ": "The lane computes its noise levels from other training variances than the "
    "model's. The timesteps passed to the model then stand for other noise than the latent has.",
    "timesteps_differ": "The lane assumes another number of training timesteps than the model has. "
    "Its sigmas come from a table of another length, and its timesteps stand for other noise.",
    "zero_snr_differs": "Zero terminal SNR rescales the training so that it ends in pure noise. A "
    "model that was not trained this way never saw that end; one that was needs it.",
    "zero_snr_epsilon": "At zero terminal SNR the latent is pure noise, and a network that "
    "predicts noise can say nothing about the picture there: such models predict v.",
    "zero_snr_spacing": "With zero terminal SNR a run should begin at the last training timestep. "
    "Spacing trailing does so (Lin et al. 2023); leading does not.",
    "zero_snr_unreached": "The training was rescaled to end in pure noise, and this schedule "
    "begins below that end, so the rescaling does nothing for it.",
    "terminal_snr": "The training of Stable Diffusion ends with a trace of the picture left in "
    "the noise. Sampling begins with none, and Lin et al. (2023) found that pictures then have a "
    "medium brightness. It is a property of the model, not of the schedule.",
    "range_shrunk": "The first sigma lies below the training's last: the latent is pure noise, "
    "but the model is told that traces of a picture are in it. Spacing leading and a small sigma "
    "max do so.",
    "low_end_raised": "The last sigma above 0 is far larger than the training's smallest. The "
    "last step removes all remaining noise by one guess, and details are lost.",
    "outside_training": "Some steps have more noise, or less, than the model was ever trained on. "
    "It gets the nearest timestep that it knows.",
    "noise_left": "The run ends above sigma 0, and its last noise stays in the picture. This is "
    "meant for a refiner, or for another program that continues from there.",
    "not_finite": "A noise level is infinite or not a number: a run would fail there.",
    "fp16_overflow": "Latents of this noise level exceed the largest number of half precision, "
    "65504, on their way: the run would end in NaN. Use bfloat16 or float32, or a smaller sigma.",
    "churn_above_training": "Churn adds noise before a step, and raises it above the highest "
    "noise level of the training. The model gets the timestep of that level, although the latent "
    "has more noise.",
    "churn_window": "Churn acts only between sigma tmin and sigma tmax, and no step lies there.",
    "wide_step": "One step covers far more of the logarithm of sigma than the others do. Errors "
    "of a second-order method grow with the cube of a step's width, so that one decides the "
    "quality.",
    "narrow_step": "A step hardly changes sigma: its model calls are wasted. Lists that were "
    "typed or merged by hand often hold such a pair.",
    "last_step": "The last step before the one to 0 is far wider than the others: the training's "
    "smallest sigma follows a much larger one. A1111 and ComfyUI leave that sigma out (discard "
    "penultimate sigma), which matters most for few steps of DPM2 a.",
    "midpoint_is_next": "With eta 1 the midpoint of an ancestral step is the next sigma itself. "
    "The second call of a step and the first of the next see the same level, with other noise.",
    "duplicate_timesteps": "Rounding has given two steps the same timestep: the model takes two "
    "noise levels for one. With many steps this is usual with Karras; do not round, or take fewer "
    "steps.",
    "rounded_timestep": "The model gets a whole timestep, which stands for another sigma than "
    "the latent has. Diffusers rounds for Karras; A1111 and ComfyUI do not.",
    "levels_reached": "Under this spacing diffusers' class does not step to the next timestep of "
    "its own list: the latent then has another noise level than the timestep says.",
    "not_decreasing": "Sigmas must fall from step to step; one does not, and a step backwards "
    "would divide by zero or add noise.",
    "no_schedule": "No schedule can be made from these settings: the sentence names the "
    "setting, and the change resets it.",
    "infinite_sigma": "The training's variances remove the picture so fast that the largest sigma "
    "is infinite. A smaller beta end, or fewer training timesteps, keeps it finite.",
    "steps_beyond_training": "A schedule picks training timesteps, and there are fewer of them "
    "than steps were asked for.",
    "own_steps": "A lane with a list of sigmas makes as many steps as the list is long, whatever "
    "the run's number of steps says.",
    "no_effect": "A setting has a value that is not used, such as eta with a sampler that adds no "
    "noise. It can stay, but when comparing two runs keep in mind that it does nothing.",
    "equal_lanes": "Two lanes are the same in all settings that have an effect: they make the "
    "same picture, and each costs its model calls.",
    "cost": "What the run takes: a second-order sampler calls the network twice a step, except in "
    "the last. The recording keeps every latent and prediction in memory.",
    "too_long": "The run would take longer than this server allows, by its estimate, and would be "
    "refused: fewer steps, lanes, pictures or pixels make it shorter.",
    "recording_too_large": "A run's recording would not fit into the memory that is set aside for "
    "it: fewer steps, pictures, lanes or pixels make it smaller.",
    "no_memory": "The networks need more memory for this run than there is, even one picture at a "
    "time.",
    "not_examined": "The schedules could not be examined, which is a fault of this program or of "
    "its model's files; the run may still work.",
}
