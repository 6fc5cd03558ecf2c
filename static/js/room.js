// The session room asks the device to keep its screen on. Where it cannot, nothing else changes.
let lock = null;

async function keepAwake() {
  if (!("wakeLock" in navigator) || document.visibilityState !== "visible") return;
  try {
    lock = await navigator.wakeLock.request("screen");
  } catch {
    lock = null; // Low battery or not allowed: the page works without it.
  }
}

document.addEventListener("visibilitychange", () => {
  if (!lock || lock.released) keepAwake();
});
keepAwake();
