// Do not reload a live part of a page while the tab is hidden or the part is in use: it has an
// open dialog or details element, selected text, or scrollable text that is hovered or focused.
(() => {
  const inUse = (part) =>
    document.hidden ||
    part.querySelector(":popover-open, details[open], .scroll:hover, .scroll:focus") !== null ||
    (!getSelection().isCollapsed && getSelection().containsNode(part, true));

  const outdated = new Set(); // ids of parts whose last request failed

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target.matches("[data-live]") && inUse(event.target)) event.preventDefault();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    // The part came into use after the request had started.
    if (event.target.matches("[data-live]") && inUse(event.target)) event.detail.shouldSwap = false;
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const part = event.detail.requestConfig.elt; // the event's target may have been replaced
    if (!part.matches("[data-live]")) return;
    if (event.detail.successful) outdated.delete(part.id);
    else outdated.add(part.id);
    document.getElementById("stale").hidden = outdated.size === 0;
  });
})();
