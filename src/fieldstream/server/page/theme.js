// Light or dark as it was chosen before, known before anything is drawn. A classic script, so that nothing flashes.
(() => {
  try {
    const theme = JSON.parse(localStorage.getItem("fieldstream.theme"));
    if (theme) document.documentElement.dataset.theme = theme;
  } catch {
    // Without storage it is as the system says.
  }
})();
