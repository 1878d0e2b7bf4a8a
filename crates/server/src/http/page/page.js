"use strict";
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  const label = button.firstChild;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    label.data = "Copied";
    setTimeout(() => { label.data = "Copy"; }, 1500);
  });
}
const span = (seconds) => {
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
  }
  return `${seconds} s`;
};
const words = { ready: "Up and taking peers", starting: "Starting", draining: "Going down: peers are asked to come back" };
const say = (kind, text) => {
  document.getElementById("state").className = `state ${kind}`;
  const line = document.getElementById("state-text");
  // Screen readers speak this line whenever it changes, so it changes only with the state.
  if (line.textContent !== text) line.textContent = text;
};
const refresh = async () => {
  if (document.hidden) return;
  try {
    const answer = await fetch("stats", { signal: AbortSignal.timeout(4000) });
    const stats = await answer.json();
    for (const cell of document.querySelectorAll("[data-count]")) {
      const value = stats[cell.dataset.count];
      cell.textContent = cell.dataset.count === "uptime_seconds" ? span(value) : value.toLocaleString();
    }
    say(stats.reason === "ready" ? "" : "wait", words[stats.reason]);
  } catch {
    say("bad", "No answer; trying again");
  }
};
refresh();
setInterval(refresh, 5000);
document.addEventListener("visibilitychange", refresh);
