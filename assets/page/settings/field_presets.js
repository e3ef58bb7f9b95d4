// A preset of the field, applied to the lanes' table. Does not touch the DOM.

const OURS = ["dpm2", "dpm2_a"];

// The table's value {lanes, same} with a preset's settings in every lane of the two samplers, and in all
// lanes where they share theirs; without such a lane, the two replace what is there.
export function withPreset({ lanes, same }, preset, defaults) {
  const ours = ({ sampler }) => OURS.includes(sampler);
  if (!lanes.some(ours)) {
    const two = OURS.map((sampler) => ({ ...lanes[0], ...defaults, ...preset.lane, sampler }));
    return { lanes: two, same: true };
  }
  return { lanes: lanes.map((lane) => (same || ours(lane) ? { ...lane, ...preset.lane } : lane)), same };
}
