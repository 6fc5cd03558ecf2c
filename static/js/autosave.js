// Keeps a long draft on the server while somebody writes. Without it the page's own button does the same.
const script = document.querySelector("script[data-form][data-to]");
const form = document.getElementById(script.dataset.form);
const status = document.getElementById(script.dataset.status);
let intent = crypto.randomUUID ? crypto.randomUUID() : null;
let dirty = false;
let stopped = intent === null;

form.addEventListener("input", () => { dirty = true; });
form.addEventListener("submit", () => { stopped = true; });

async function keep() {
  if (!dirty || stopped || document.hidden) return;
  dirty = false;
  const body = new FormData(form);
  body.set("intent", intent);
  try {
    const answer = await fetch(script.dataset.to, { method: "POST", body, headers: { Accept: "application/json" }, redirect: "manual" });
    if (answer.ok) {
      const said = await answer.json();
      intent = said.intent;
      form.elements.version.value = said.version;
      status.textContent = `Draft, kept at ${said.words}.`;
    } else if (answer.status === 409) {
      stopped = true;
      status.textContent = "This note was changed in another window. Copy what you wrote and reload the page.";
    } else {
      intent = crypto.randomUUID();
      status.textContent = "Not kept yet: press “Save the draft”.";
    }
  } catch {
    dirty = true;
    status.textContent = "No connection. What you write stays on this page; we try again.";
  }
}

setInterval(keep, 15000);
