"use strict";
(() => {
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  for (const one of all(".tools, .buttons, #theme")) one.hidden = false;

  // Look: that of the system, or what was chosen; a page from a file may have no storage.
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const remembered = (value) => {
    try {
      if (value === undefined) return localStorage.getItem("hepflow-theme");
      localStorage.setItem("hepflow-theme", value);
    } catch { /* forgotten with the page */ }
    return null;
  };
  const button = document.getElementById("theme");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const label = () => { button.textContent = isDark() ? "Light" : "Dark"; button.ariaLabel = `${button.textContent} colours`; };
  const stored = remembered();
  if (stored === "dark" || stored === "light") root.dataset.theme = stored;
  label();
  system.addEventListener("change", label);
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    remembered(root.dataset.theme);
    label();
  });

  // The list of sections is beside the page, or folded above it.
  const menu = document.getElementById("menu");
  const narrow = matchMedia("(max-width: 63.99rem)");
  const fold = () => { menu.open = !narrow.matches; };
  fold();
  narrow.addEventListener("change", fold);
  for (const link of all("a", menu)) link.addEventListener("click", () => { if (narrow.matches) menu.open = false; });
  if ("IntersectionObserver" in window) {
    const links = new Map(all("a", menu).map((link) => [link.hash.slice(1), link]));
    const seen = new Set();
    const sections = all("main > section");
    const watch = new IntersectionObserver((entries) => {
      for (const one of entries) one.isIntersecting ? seen.add(one.target.id) : seen.delete(one.target.id);
      const first = sections.find((one) => seen.has(one.id));
      for (const [name, link] of links) {
        if (first && name === first.id) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      }
    }, { rootMargin: "-10% 0px -60% 0px" });
    for (const one of sections) watch.observe(one);
  }

  // Tables: sort by any column, show matching rows only.
  const value = (row, column) => {
    const cell = row.cells[column];
    const given = cell.dataset.sort;
    if (given === undefined) return cell.textContent.trim();
    const number = Number(given.replace("inf", "Infinity"));
    return Number.isNaN(number) ? given : number;
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number"
    ? (a < b ? -1 : a > b ? 1 : 0)
    : String(a).localeCompare(String(b), "en", { numeric: true }));
  for (const table of all("main table")) {
    const body = table.tBodies[0];
    const rows = Array.from(body.rows);
    const heads = all("thead th", table);
    if (rows.length > 1) heads.forEach((head, column) => {
      if (!head.textContent.trim()) return;
      const sorter = document.createElement("button");
      sorter.type = "button";
      sorter.textContent = head.textContent;
      head.replaceChildren(sorter);
      sorter.addEventListener("click", () => {
        // Rising, falling, as it was.
        const before = head.getAttribute("aria-sort");
        const down = before === "ascending";
        for (const one of heads) one.removeAttribute("aria-sort");
        if (before === "descending") { body.append(...rows); return; }
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const order = rows.map((row) => [value(row, column), row]);
        order.sort((a, b) => (down ? -1 : 1) * compare(a[0], b[0]));
        body.append(...order.map((one) => one[1]));
      });
    });
    const tools = document.querySelector(`[data-tools="${table.id}"]`);
    const search = tools.querySelector("input");
    const choices = all("select", tools);
    if (!search && !choices.length) { tools.hidden = true; continue; }
    const count = tools.querySelector("output");
    const filter = () => {
      const words = search ? search.value.toLowerCase().split(/\s+/).filter(Boolean) : [];
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        const wanted = words.every((word) => text.includes(word))
          && choices.every((one) => !one.value || row.cells[one.dataset.column].textContent.trim() === one.value);
        row.hidden = !wanted;
        shown += wanted;
      }
      const total = `${rows.length} row${rows.length === 1 ? "" : "s"}`;
      count.textContent = shown === rows.length ? total : `${shown} of ${total}`;
    };
    filter();
    for (const one of [search, ...choices]) one?.addEventListener("input", filter);
  }

  // Figures: large, and as files.
  const large = document.getElementById("large");
  document.addEventListener("click", (event) => {
    const pressed = event.target instanceof Element && event.target.closest("[data-enlarge], [data-save]");
    if (!pressed) { if (event.target === large) large.close(); return; }
    const picture = pressed.closest("figure").querySelector("img");
    if (pressed.dataset.save) {
      const link = document.createElement("a");
      link.href = picture.src;
      link.download = pressed.dataset.save;
      link.click();
      return;
    }
    const shown = large.querySelector("img");
    shown.src = picture.src;
    shown.alt = picture.alt;
    large.querySelector("p").textContent = picture.alt;
    large.showModal();
  });

  // On paper everything is unfolded.
  const opened = [];
  addEventListener("beforeprint", () => {
    for (const one of all("main details:not([open])")) { one.open = true; opened.push(one); }
  });
  addEventListener("afterprint", () => { for (const one of opened.splice(0)) one.open = false; });
})();
