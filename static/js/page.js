// Small comforts for every page. Each form and link works without this file.

// Move focus to the error summary or to whatever the server marked.
const target = document.querySelector("[data-focus]");
if (target) target.focus();

// One press, one request: the button that was used goes quiet while the answer is on its way.
// The server refuses a second effect anyway; this only keeps an unsure thumb from wondering.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || !("once" in form.dataset)) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  const button = event.submitter;
  if (button) button.setAttribute("aria-busy", "true");
  setTimeout(() => {
    delete form.dataset.sent;
    if (button) button.removeAttribute("aria-busy");
  }, 8000);
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// A menu closes with Escape and with a press elsewhere.
for (const menu of document.querySelectorAll("details.menu")) {
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  document.addEventListener("click", (event) => {
    if (menu.open && !menu.contains(event.target)) menu.open = false;
  });
}

// Staff tables: j and k walk the rows, Enter opens, / goes to the search field. Never while somebody types.
const rows = [...document.querySelectorAll("table[data-rows] tbody tr")].filter((row) => row.querySelector("a[href]"));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  if (event.key === "/") {
    const search = document.querySelector("input[type=search]");
    if (search) {
      event.preventDefault();
      search.focus();
    }
    return;
  }
  if (!rows.length || (event.key !== "j" && event.key !== "k")) return;
  const at = rows.findIndex((row) => row.getAttribute("aria-current") === "true");
  const next = event.key === "j" ? Math.min(at + 1, rows.length - 1) : Math.max(at - 1, 0);
  if (at >= 0) rows[at].removeAttribute("aria-current");
  rows[next].setAttribute("aria-current", "true");
  rows[next].querySelector("a[href]").focus();
});
