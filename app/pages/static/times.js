// The reader's zone: times are written in it (hovering shows UTC), and entered in it.
(() => {
  const forms = {
    moment: { dateStyle: "medium", timeStyle: "short" },
    second: { dateStyle: "medium", timeStyle: "medium" },
    day: { dateStyle: "medium" },
    clock: { timeStyle: "short" },
  };

  const localize = () => {
    for (const time of document.querySelectorAll("time[data-local]")) {
      const when = new Date(time.dateTime);
      time.textContent = new Intl.DateTimeFormat(undefined, forms[time.dataset.local]).format(when);
    }
  };

  // A datetime-local field knows no zone: the instant that it means here is sent beside it.
  const offer = (field) => {
    const instant = document.getElementById(field.dataset.instant);
    const tell = () => {
      const when = new Date(field.value);
      instant.value = Number.isNaN(when.getTime()) ? "" : when.toISOString();
    };
    field.addEventListener("input", tell);
    tell();
    const hint = document.getElementById(`${field.id}-hint`);
    if (hint) hint.textContent = "By the clock where you are.";
  };

  localize();
  document.querySelectorAll("[data-instant]").forEach(offer);
  document.addEventListener("htmx:afterSettle", localize);
})();
