// Shows a notice and opens our page when it is pressed. It keeps nothing and sees no page.
self.addEventListener("push", (event) => {
  let words = {};
  try {
    words = event.data.json();
  } catch {
    words = {};
  }
  event.waitUntil(
    self.registration.showNotification(words.title || "A message", { body: words.body || "", tag: words.tag, data: words.url || "/home/" }),
  );
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const place = new URL(event.notification.data || "/home/", self.location.origin);
  if (place.origin === self.location.origin) event.waitUntil(self.clients.openWindow(place.href));
});
