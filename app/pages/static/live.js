// A live part of a page is not loaded anew while nobody looks at it, or while somebody uses it: while
// a question or a detail is open in it, its text is selected, or a scrolled text is read.
(() => {
  const inUse = (part) =>
    document.hidden ||
    part.querySelector(":popover-open, details[open], .scroll:hover, .scroll:focus") !== null ||
    (!getSelection().isCollapsed && getSelection().containsNode(part, true));

  const isStale = (stale) => {
    const told = document.getElementById("stale");
    if (told) told.hidden = !stale;
  };

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target.matches("[data-live]") && inUse(event.target)) event.preventDefault();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    // Asked before it was used, answered while it is.
    if (event.target.matches("[data-live]") && inUse(event.target)) event.detail.shouldSwap = false;
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const part = event.detail.requestConfig.elt; // the event's target may have been replaced
    if (part.matches("[data-live]")) isStale(!event.detail.successful);
  });
})();
