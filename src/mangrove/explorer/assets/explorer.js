/* What the pages do in the browser by themselves: theme, figures as files, keys on maps, where the reader is. */
(() => {
  "use strict";

  // The theme: as the system is, unless the reader has chosen the other one.
  const KEY = "mangrove-theme";
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const ofSystem = () => (system.matches ? "dark" : "light");
  const chosen = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // storage is switched off: the choice lasts as long as the page
    }
  };
  const setTheme = (theme) => {
    const root = document.documentElement;
    const own = theme === "light" || theme === "dark";
    own ? root.setAttribute("data-theme", theme) : root.removeAttribute("data-theme");
    try {
      own ? localStorage.setItem(KEY, theme) : localStorage.removeItem(KEY);
    } catch {
      // as above
    }
  };
  setTheme(chosen());
  const toggleTheme = () => {
    const now = document.documentElement.getAttribute("data-theme") || ofSystem();
    const other = now === "dark" ? "light" : "dark";
    setTheme(other === ofSystem() ? null : other);
  };

  // A figure as a file, on white and in the colours of print, whatever the theme.
  const save = (button) => {
    const graph = document.getElementById(button.dataset.graph);
    const plot = graph && graph.querySelector(".js-plotly-plot");
    if (!plot) return;
    const layout = { ...plot.layout, paper_bgcolor: "#ffffff", plot_bgcolor: "#ffffff" };
    const of = decodeURIComponent(location.pathname.split("/")[2] || "");
    window.Plotly.downloadImage(
      { data: plot.data, layout, config: {} },
      {
        format: button.dataset.export,
        filename: [button.dataset.graph, of].filter(Boolean).join("-"),
        width: plot.clientWidth,
        height: plot.clientHeight,
        scale: 2,
      },
    );
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.id === "theme") toggleTheme();
    if (button.dataset.export) save(button);
  });

  // Arrow keys on a map of nodes ([data-nodes="rows,columns"]): the next node, row 0 at the bottom, into the address.
  // Without a node in the address, from the one that the figure shows (layout.meta.node).
  const STEP = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, 0], ArrowDown: [-1, 0] };
  document.addEventListener("keydown", (event) => {
    const map = event.target.closest("[data-nodes]");
    if (!map || event.target !== map || !(event.key in STEP) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const [rows, columns] = map.dataset.nodes.split(",").map(Number);
    const query = new URLSearchParams(location.search);
    const shown = map.querySelector(".js-plotly-plot")?.layout?.meta?.node;
    const isNode = (node) => node >= 0 && node < rows * columns;
    const node = [Number.parseInt(query.get("node"), 10), shown ?? NaN].find(isNode);
    const known = node !== undefined;
    const row = known ? Math.floor(node / columns) + STEP[event.key][0] : 0;
    const column = known ? (node % columns) + STEP[event.key][1] : 0;
    if (row < 0 || row >= rows || column < 0 || column >= columns) return;
    query.set("node", row * columns + column);
    history.pushState({}, "", `${location.pathname}?${query}`);
    window.dispatchEvent(new CustomEvent("_dashprivate_pushstate")); // as Dash's own links tell its Location
  });

  // On arrival at a page: the title of the window, and which link of the navigation is that of this page.
  const run = document.title;
  let last = null;
  const arrived = (path, page, search) => {
    // Who goes back twice at once has left the address that the page was asked for before it comes.
    const madeFor = page?.props?.["data-made-for"];
    if (madeFor && [path, search].some((part, k) => (part ?? "") !== (madeFor[k] ?? "")))
      window.dash_clientside.set_props("again", { data: [path, search] });
    const view = (path || "/").split("/")[1] || "";
    let title = "";
    for (const link of document.querySelectorAll(".nav-link")) {
      const here = link.getAttribute("href") === `/${view}`;
      here ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
      if (here) title = link.textContent;
    }
    const name = decodeURIComponent((path || "/").split("/")[2] || "");
    document.title = [[title, name].filter(Boolean).join(" "), run].filter(Boolean).join(" · ");
    // Readers without a screen or a mouse go on from the new page, not from the link that led to it.
    if (last !== null && last !== path) document.getElementById("page").focus({ preventScroll: true });
    last = path;
    return window.dash_clientside.no_update;
  };
  // The number of the baxel that is shown, unless the address has gone on to another one meanwhile.
  const baxelOfAddress = (shown) => {
    const asked = new URLSearchParams(location.search).get("baxel");
    if (asked !== null && asked !== String(shown)) return window.dash_clientside.no_update;
    // The field keeps what was typed and is no baxel, whatever it is told.
    const field = document.getElementById("galaxy-baxel-number");
    if (field !== null) field.value = shown;
    return shown;
  };
  window.dash_clientside = Object.assign({}, window.dash_clientside, { mangrove: { arrived, baxelOfAddress } });
})();
