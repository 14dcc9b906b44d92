// Before the first paint: the theme chosen in this browser, so that no page flashes in the other one.
try {
  const theme = localStorage.getItem("crewship.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Without storage the system's theme is taken.
}
