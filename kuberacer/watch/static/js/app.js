// Which page an address shows. Links within the site change the address without loading anew.

import { h, notice } from "./dom.js";
import { Problem } from "./api.js";
import { say } from "./events.js";
import * as compare from "./pages/compare.js";
import * as leaderboard from "./pages/leaderboard.js";
import * as run from "./pages/run.js";
import * as runs from "./pages/runs.js";

const PAGES = [
  [/^\/$/, runs],
  [/^\/runs\/([^/]+)\/?$/, run],
  [/^\/compare\/?$/, compare],
  [/^\/leaderboard\/?$/, leaderboard],
];

const main = document.getElementById("main");
let current = new AbortController();

/** Shows the page of the address; a page gets (main, {name, query, signal, go}) and ends when the signal aborts. */
async function show() {
  current.abort();
  current = new AbortController();
  const { signal } = current;
  say("");
  const path = location.pathname;
  for (const link of document.querySelectorAll("nav a")) {
    const here = link.pathname === path || (link.pathname === "/" && path.startsWith("/runs/"));
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const found = PAGES.map(([pattern, page]) => [pattern.exec(path), page]).find(([match]) => match);
  main.replaceChildren();
  main.removeAttribute("data-ready");
  try {
    if (!found) throw new Problem("There is no such page", "Go to the list of runs");
    const [match, page] = found;
    const name = match[1] ? decodeURIComponent(match[1]) : "";
    await page.show(main, { name, query: new URLSearchParams(location.search), signal, go });
  } catch (error) {
    if (signal.aborted) return;
    fail(error);
  }
}

function fail(error) {
  const known = error instanceof Problem;
  if (!known) console.error(error);
  const again = h("button", { type: "button", onclick: show }, "Try again");
  main.replaceChildren(
    h("div", { class: "stack" }, h("h1", {}, "Nothing to show"),
      known ? notice(error.message, error.remedy, "bad") : notice("The page failed", "Load it again", "bad"),
      h("p", { class: "actions" }, again, h("a", { class: "button", href: "/" }, "All runs"))),
  );
  document.title = "KubeRacer";
}

/** To another address of the site; replace: without a step in the history. */
function go(address, replace = false) {
  history[replace ? "replaceState" : "pushState"](null, "", address);
  show().then(() => { if (!replace) { main.focus({ preventScroll: true }); scrollTo(0, 0); } });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  const plain = !event.defaultPrevented && event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey;
  if (!link || !plain || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (!PAGES.some(([pattern]) => pattern.test(link.pathname)) || link.hash) return;
  event.preventDefault();
  go(link.pathname + link.search);
});
addEventListener("popstate", show);
show();
