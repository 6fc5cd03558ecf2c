// The chart by keyboard. Each key is the letter of a link, a button or a summary that is on the page anyway: without this
// file nothing is missing but the speed. Keys never fire while somebody types, nor with Ctrl, Alt or Command held.
const OFF = "hearthside-chart-keys-off";
const parts = [...document.querySelectorAll("[data-part]")];
const keys = new Map([...document.querySelectorAll("[data-key]")].map((one) => [one.dataset.key, one]));
const help = document.getElementById("keys");

// The parts of "Everything else" answer to their number.
[...document.querySelectorAll("#everything > details")].slice(0, 9).forEach((one, index) => {
  const summary = one.querySelector("summary");
  const number = document.createElement("kbd");
  number.textContent = String(index + 1);
  number.setAttribute("aria-hidden", "true");
  summary.append(" ", number);
  keys.set(String(index + 1), summary);
});

let off = false;
try { off = localStorage.getItem(OFF) === "yes"; } catch { /* keys stay on where nothing can be kept */ }

if (help) {
  const turn = document.createElement("button");
  turn.type = "button";
  turn.className = "button button--quiet button--small";
  const say = () => {
    turn.textContent = off ? "Turn the keys on" : "Turn the keys off";
    document.documentElement.toggleAttribute("data-keys-off", off);
  };
  turn.addEventListener("click", () => {
    off = !off;
    try { localStorage.setItem(OFF, off ? "yes" : "no"); } catch { /* holds until the page is left */ }
    say();
  });
  say();
  help.querySelector("div").append(turn);
}

function goTo(part) {
  part.scrollIntoView({ block: "start" });
  part.focus({ preventScroll: true });
}

document.addEventListener("keydown", (event) => {
  if (off || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  if (event.key === "j" || event.key === "k") {
    const at = parts.findIndex((part) => part.contains(document.activeElement));
    const next = event.key === "j" ? Math.min(at + 1, parts.length - 1) : Math.max(at - 1, 0);
    event.preventDefault();
    goTo(parts[next]);
    return;
  }
  const found = keys.get(event.key);
  if (!found) return;
  event.preventDefault();
  if (found.tagName === "SUMMARY") {
    const box = found.parentElement;
    box.open = !box.open;
    found.scrollIntoView({ block: "nearest" });
    found.focus();
  } else if (found.getAttribute("href")?.startsWith("#")) {
    const part = document.getElementById(found.getAttribute("href").slice(1));
    if (part) goTo(part);
  } else {
    found.click();
  }
});
