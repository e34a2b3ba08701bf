// Runs before the page is drawn, so that a user of the dark theme sees no white flash.
{
  let chosen = null;
  try {
    chosen = localStorage.getItem("headrace theme");
  } catch { /* the browser denies storage: use the theme of the system */ }
  if (chosen) document.documentElement.dataset.theme = chosen;
}
