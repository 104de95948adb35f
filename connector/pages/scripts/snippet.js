// <script src=".../p/push/snippet.js" data-shop="KEY" data-order="ORDER ID" defer></script> on a page that only the buyer
// sees (thank-you, order status): a link to the page where they may ask for notifications.
(() => {
  const script = document.currentScript;
  const { shop, order, text } = script.dataset;
  const found = order || (location.pathname.match(/order-received\/(\d+)/) || [])[1];
  if (!shop || !found || !("PushManager" in window)) {
    return;
  }
  const words = {
    en: "Get notified about this order", fi: "Tilaa ilmoitukset tästä tilauksesta", sv: "Få aviseringar om beställningen",
    de: "Benachrichtigungen zu dieser Bestellung", ja: "このご注文の通知を受け取る", ar: "تلقي إشعارات عن هذا الطلب",
  };
  const language = (document.documentElement.lang || "en").slice(0, 2).toLowerCase();
  const link = document.createElement("a");
  link.href = new URL(`order/${encodeURIComponent(shop)}/${encodeURIComponent(found)}`, script.src).href
    + `?from=${encodeURIComponent(location.href)}`;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  link.className = "kiitos-push";
  link.textContent = text || words[language] || words.en;
  script.insertAdjacentElement("afterend", link);
})();
