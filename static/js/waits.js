// Who waits in a waiting room of mine: on every staff page within seconds, wherever its reader is. Without this file the home page says it.

const place = document.getElementById("who-waits");
const EVERY_MS = 10_000;
const title = document.title;
let shown = place.innerHTML.trim();

async function look() {
  try {
    const answer = await fetch(place.dataset.from, { cache: "no-store", redirect: "manual" });
    if (answer.ok) {
      const fresh = (await answer.text()).trim();
      // Only news is written, so that a screen reader says it once and a press on the button is not lost.
      if (fresh !== shown) {
        shown = fresh;
        place.innerHTML = fresh;
      }
      document.title = fresh ? `Somebody waits · ${title}` : title;
    } else if (answer.type === "opaqueredirect" || answer.status === 403) {
      return; // Logged out: nothing more to ask.
    }
  } catch { /* Offline; the next look comes. */ }
  setTimeout(look, EVERY_MS);
}
look();
