// Asks the browser for a place where notices can be sent, and hands it over with an ordinary form.
const form = document.getElementById("device-form");
const button = document.getElementById("device-button");
const words = document.getElementById("device-words");

if (form && button && "serviceWorker" in navigator && "PushManager" in window && "Notification" in window) {
  button.hidden = false;
  words.textContent = "Your browser will ask you whether it may show notices.";
  let filled = false;
  form.addEventListener("submit", async (event) => {
    if (filled) return;
    event.preventDefault();
    try {
      if ((await Notification.requestPermission()) !== "granted") {
        words.textContent = "Your browser does not allow notices for this site. You can change that in its settings.";
        return;
      }
      const registration = await navigator.serviceWorker.register(form.dataset.worker, { scope: form.dataset.scope });
      for (let i = 0; i < 50 && !registration.active; i += 1) await new Promise((go) => setTimeout(go, 100));
      const found = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: form.dataset.key });
      const { endpoint, keys } = found.toJSON();
      form.elements.endpoint.value = endpoint;
      form.elements.p256dh.value = keys.p256dh;
      form.elements.auth.value = keys.auth;
      form.elements.label.value = /iPhone|iPad|Android|Windows|Macintosh|Linux/.exec(navigator.userAgent)?.[0] ?? "";
      filled = true;
      form.submit();
    } catch {
      words.textContent = "Notices could not be turned on here. Texts and mail come as before.";
    }
  });
}
