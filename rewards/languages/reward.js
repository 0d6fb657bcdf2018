// ../follow_center_line.py in JavaScript, for Node. stdin and stdout are KubeRacer's: console.error is for messages.

const LAP_BONUS = 10.0;
const OFF_TRACK = 1e-3;

function rewardFunction(params) {
  if (!params.all_wheels_on_track) return OFF_TRACK;
  const offset = params.distance_from_center / (0.5 * params.track_width);
  const closeness = Math.max(0.0, 1.0 - offset * offset);
  let reward = params.speed * closeness + OFF_TRACK;
  if (params.progress >= 100.0) reward += LAP_BONUS;
  return reward;
}

// Fewer keys, less to send. Without "keys" come all but the waypoints; those are in the first line, in `track`.
const KEYS = ["all_wheels_on_track", "distance_from_center", "progress", "speed", "track_width"];

const lines = require("node:readline").createInterface({ input: process.stdin });
lines.once("line", () => {
  console.log(JSON.stringify({ kuberacer_reward: 1, keys: KEYS }));
  lines.on("line", (line) => {
    console.log(JSON.stringify({ rewards: JSON.parse(line).params.map(rewardFunction) }));
  });
});
