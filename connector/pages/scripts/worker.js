// Shows what arrives, and opens what it is about. One notification an order: the next one replaces it (`tag`).
self.addEventListener("push", (event) => {
  const told = event.data ? event.data.json() : {};
  event.waitUntil(self.registration.showNotification(told.title || "", {
    body: told.body || "",
    lang: told.lang || "",
    dir: told.dir || "auto",
    icon: told.icon || undefined,
    tag: told.tag || "",
    renotify: Boolean(told.tag),
    data: { url: told.url || "" },
  }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const url = event.notification.data && event.notification.data.url;
  if (url && /^https?:/.test(url)) {
    event.waitUntil(self.clients.openWindow(url));
  }
});
