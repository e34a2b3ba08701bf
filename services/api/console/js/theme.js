// Before the first paint, so that nobody who chose dark sees a white flash.
{
  const chosen = localStorage.getItem("headrace theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
}
