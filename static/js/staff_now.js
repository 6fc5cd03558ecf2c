// Open alerts, a lane that stands still, who waits: on every staff page within seconds, wherever its reader is. Without this file
// a page says them once, as it is opened.

const EVERY_MS = 10_000;
const urgent = document.getElementById("urgent");
const places = [urgent, document.getElementById("who-waits")].filter(Boolean);
const title = document.title;
const shown = new Map(places.map((place) => [place.id, place.innerHTML.trim()]));

function put(place, html) {
  const before = shown.get(place.id);
  // Only news is written, so that a screen reader says it once and a press on a link is not lost.
  if (html === before) return;
  // A sentence that only counts on ("for 50 seconds") is no news to somebody who listens.
  const counts = (text) => text.replace(/\d+/g, "");
  place.setAttribute("aria-live", counts(html) === counts(before) ? "off" : place.id === "urgent" ? "assertive" : "polite");
  shown.set(place.id, html);
  place.innerHTML = html;
}

function name() {
  if (urgent.querySelector("[data-alert]")) return `Open alert · ${title}`;
  return places.some((place) => place !== urgent && place.innerHTML.trim()) ? `Somebody waits · ${title}` : title;
}

async function look() {
  try {
    const answer = await fetch(urgent.dataset.from, { cache: "no-store", redirect: "manual" });
    if (answer.ok) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const place of places) {
        const part = fresh.getElementById(place.id);
        if (part) put(place, part.innerHTML.trim());
      }
      document.title = name();
    } else if (answer.type === "opaqueredirect" || answer.status === 403) {
      return; // Logged out: nothing more to ask.
    }
  } catch { /* Offline; the next look comes. */ }
  setTimeout(look, EVERY_MS);
}
look();
