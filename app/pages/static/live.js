// A live part of a page is not loaded anew while nobody looks at it, or while somebody uses it: while
// a question or a detail is open in it, its text is selected, or a scrolled text is read.
(() => {
  const inUse = (part) =>
    document.hidden ||
    part.querySelector(":popover-open, details[open], .scroll:hover, .scroll:focus") !== null ||
    (!getSelection().isCollapsed && getSelection().containsNode(part, true));

  const unanswered = new Set(); // ids of parts

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target.matches("[data-live]") && inUse(event.target)) event.preventDefault();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    // Asked before it was used, answered while it is.
    if (event.target.matches("[data-live]") && inUse(event.target)) event.detail.shouldSwap = false;
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const part = event.detail.requestConfig.elt; // the event's target may have been replaced
    if (!part.matches("[data-live]")) return;
    if (event.detail.successful) unanswered.delete(part.id);
    else unanswered.add(part.id);
    document.getElementById("stale").hidden = unanswered.size === 0;
  });
})();
