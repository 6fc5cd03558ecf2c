// Keeps each answer on the server as it is given, and shows a question when it applies.
// Without it the page's own button saves all answers, and the next screen asks what came up.
const script = document.querySelector("script[data-form][data-status]");
const form = document.getElementById(script.dataset.form);
const status = document.getElementById(script.dataset.status);
const to = script.dataset.to;
// A questionnaire waits a moment, so that a slip of the finger that is put right at once is not sent.
const pause = Number(script.dataset.pauseMs || 0);
const waiting = [];
let timer = 0;
let busy = false;
let stopped = !to || !crypto.randomUUID;
if (!stopped) status.textContent = "Each answer is saved as you give it.";

const given = (name) => {
  const values = new FormData(form).getAll(name).filter((value) => value !== "");
  return values.length ? values : [""];
};

function branch() {
  if (!form.elements.seen) return;
  const seen = new Set(form.elements.seen.value.split(",").filter(Boolean));
  const hidden = new Set();
  for (const part of form.querySelectorAll("[data-shown-if]")) {
    const wanted = Object.entries(JSON.parse(part.dataset.shownIf));
    const shown = wanted.every(([name, values]) => !hidden.has(name) && given(name).some((one) => values.includes(one)));
    part.hidden = !shown;
    if (shown) seen.add(part.dataset.question);
    else hidden.add(part.dataset.question);
  }
  form.elements.seen.value = [...seen].join(",");
}

// Something that must not wait was answered: help stands on the page at once, before anything else is asked.
function help(said) {
  const here = document.getElementById("help-here");
  here.innerHTML = said.help;
  document.getElementById("plan-here").innerHTML = said.plan;
  here.scrollIntoView();
  here.focus();
}

async function next() {
  clearTimeout(timer);
  if (busy || stopped || !waiting.length) return;
  busy = true;
  const name = waiting.shift();
  // The whole of a questionnaire goes along with any one of its answers.
  if (pause) waiting.length = 0;
  const body = new FormData(form);
  body.set("intent", crypto.randomUUID());
  body.set("answered", name);
  status.textContent = "Saving…";
  try {
    const answer = await fetch(to, { method: "POST", body, headers: { Accept: "application/json" }, redirect: "manual", keepalive: pause > 0 });
    if (answer.type === "opaqueredirect" || answer.status === 403) {
      stopped = true;
      status.textContent = "You are logged out, so this is not saved. It stays on this page: log in in another tab, then press the button below.";
    } else {
      const said = await answer.json();
      status.textContent = said.said || "Not saved yet: press the button below.";
      if (said.help) help(said);
      if (said.saved && said.alone) form.elements.version.value = said.version;
      else if (said.saved || answer.status === 409) {
        stopped = true;
        if (said.saved) status.textContent = `${said.said} Another page changed answers of this step too; the button below puts both together.`;
      }
    }
  } catch {
    if (!waiting.includes(name)) waiting.push(name);
    status.textContent = "No connection. What you typed stays on this page; we try again.";
    setTimeout(next, 5000);
    busy = false;
    return;
  }
  busy = false;
  next();
}

form.addEventListener("change", (event) => {
  branch();
  const name = event.target.name;
  if (!name || stopped) return;
  if (!waiting.includes(name)) waiting.push(name);
  clearTimeout(timer);
  if (pause) timer = setTimeout(next, pause);
  else next();
});
addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") next(); });
form.addEventListener("submit", () => { stopped = true; clearTimeout(timer); });
branch();
