// The theme: the system's, light or dark. A plain script, so that it is set before anything is drawn.
(() => {
  const NEXT = { system: "light", light: "dark", dark: "system" };
  const root = document.documentElement;

  function read() {
    try {
      const kept = localStorage.getItem("theme");
      return kept in NEXT ? kept : "system";
    } catch {
      return "system"; // storage may be switched off
    }
  }

  function apply(theme) {
    if (theme === "system") delete root.dataset.theme;
    else root.dataset.theme = theme;
  }

  apply(read());
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    let theme = read();
    const label = () => { button.textContent = `Theme: ${theme}`; };
    label();
    button.addEventListener("click", () => {
      theme = NEXT[theme];
      apply(theme);
      label();
      try { localStorage.setItem("theme", theme); } catch { /* it holds until the page is left */ }
    });
  });
})();
