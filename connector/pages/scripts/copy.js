// <script src=".../p/copy.js" defer></script>: whatever has data-kiitos-copy gets a button that copies that text, and a
// line that says so to everybody. The button is made here, so that without a script there is none that does nothing.
(() => {
  const write = async (text, shown) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // No clipboard on an http address, or not allowed by the page around: the older way copies what is selected.
      getSelection().selectAllChildren(shown);
      return document.execCommand("copy");
    }
  };
  for (const place of document.querySelectorAll("[data-kiitos-copy]")) {
    const { kiitosCopy, label, done, failed } = place.dataset;
    if (place.querySelector("button")) { continue; }
    const line = document.createElement("p");
    const button = document.createElement("button");
    const told = document.createElement("span");
    button.type = "button";
    button.className = "quiet";
    button.textContent = label;
    told.setAttribute("role", "status");
    line.append(button, " ", told);
    place.append(line);
    button.addEventListener("click", async () => {
      told.textContent = "";
      const copied = await write(kiitosCopy, place.firstElementChild);
      // A moment later: the same words a second time would not be read out again.
      setTimeout(() => { told.textContent = copied ? done : failed; }, 100);
    });
  }
})();
