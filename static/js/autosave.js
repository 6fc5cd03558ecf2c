// Keeps a long draft on the server while somebody writes. Without it the page's own button does the same.
const script = document.querySelector("script[data-form][data-to]");
const form = document.getElementById(script.dataset.form);
const status = document.getElementById(script.dataset.status);
let intent = crypto.randomUUID ? crypto.randomUUID() : null;
let dirty = false;
let stopped = intent === null;

form.addEventListener("input", () => { dirty = true; });
form.addEventListener("submit", () => { stopped = true; });

async function keep(leaving = false) {
  if (!dirty || stopped || (document.hidden && !leaving)) return;
  dirty = false;
  const body = new FormData(form);
  // Words only: files go once, with the form itself.
  for (const [name, value] of [...body]) if (value instanceof File) body.delete(name);
  body.set("intent", intent);
  try {
    const answer = await fetch(script.dataset.to, { method: "POST", body, headers: { Accept: "application/json" }, redirect: "manual", keepalive: leaving });
    if (answer.ok) {
      const said = await answer.json();
      intent = said.intent;
      form.elements.version.value = said.version;
      status.textContent = `Draft, kept at ${said.words}.`;
    } else if (answer.status === 409 && answer.headers.has("Retry-After")) {
      dirty = true; // Somebody held a lock too long; nothing is wrong with the words.
      intent = crypto.randomUUID();
    } else if (answer.status === 409) {
      stopped = true;
      status.textContent = "This was changed in another window. Copy what you wrote and reload the page.";
    } else {
      intent = crypto.randomUUID();
      status.textContent = "Not kept yet: press “Save the draft”.";
    }
  } catch {
    dirty = true;
    status.textContent = "No connection. What you write stays on this page; we try again.";
  }
}

setInterval(keep, 1000 * (script.dataset.seconds || 15));
// The page goes out of sight (another app, a closed lid): what was typed goes first.
document.addEventListener("visibilitychange", () => { if (document.hidden) keep(true); });
