// Before the first paint, so that nobody who chose dark sees a white flash.
{
  let chosen = null;
  try {
    chosen = localStorage.getItem("headrace theme");
  } catch { /* the browser denies storage: the theme of the system is taken */ }
  if (chosen) document.documentElement.dataset.theme = chosen;
}
