// Show times in the reader's time zone (UTC on hover), and read entered times in that zone.
(() => {
  const formats = {
    moment: { dateStyle: "medium", timeStyle: "short" },
    second: { dateStyle: "medium", timeStyle: "medium" },
    day: { dateStyle: "medium" },
    clock: { timeStyle: "short" },
  };

  const localize = () => {
    for (const time of document.querySelectorAll("time[data-local]")) {
      const when = new Date(time.dateTime);
      time.textContent = new Intl.DateTimeFormat(undefined, formats[time.dataset.local]).format(when);
    }
  };

  // A datetime-local field has no time zone: also send the instant that it denotes in the browser's time zone.
  const sendInstant = (field) => {
    const instant = document.getElementById(field.dataset.instant);
    const update = () => {
      const when = new Date(field.value);
      instant.value = Number.isNaN(when.getTime()) ? "" : when.toISOString();
    };
    field.addEventListener("input", update);
    update();
    const hint = document.getElementById(`${field.id}-hint`);
    if (hint) hint.textContent = "Your local time.";
  };

  localize();
  document.querySelectorAll("[data-instant]").forEach(sendInstant);
  document.addEventListener("htmx:afterSettle", localize);
})();
