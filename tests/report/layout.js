// What a reader would see as wrong, as a list of sentences. Given to page.evaluate().
() => {
  const found = [];
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) {
    found.push(`the page is ${document.documentElement.scrollWidth} px wide, the window ${width}`);
  }
  const visible = (one) => one.checkVisibility({ checkVisibilityCSS: true, contentVisibilityAuto: true });
  const rgb = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const ground = (one) => {
    for (let here = one; here; here = here.parentElement) {
      const colour = rgb(getComputedStyle(here).backgroundColor);
      if (colour.length === 3 || colour[3] > 0.99) return colour;
    }
    return [255, 255, 255];
  };
  const light = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((one) => {
      const part = one / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [low, high] = [light(a), light(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };

  // Lines of text with their boxes; in a box that scrolls, what is in sight counts.
  const lines = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode;
    const parent = text.parentElement;
    if (!text.data.trim() || !visible(parent) || parent.closest("script, style, select, .skip, dialog")) continue;
    const short = text.data.trim().slice(0, 30);
    const ratio = contrast(rgb(getComputedStyle(parent).color), ground(parent));
    if (ratio < 4.5) found.push(`contrast ${ratio.toFixed(1)} of "${short}"`);
    const range = document.createRange();
    range.selectNodeContents(text);
    const box = parent.closest("td, th, button, figcaption, dd, dt, label, summary, li, p, h1, h2, h3") || parent;
    const edge = box.getBoundingClientRect();
    const scrolls = parent.closest(".scroll");
    for (const one of range.getClientRects()) {
      if (one.width < 1) continue;
      if (one.left < edge.left - 1 || one.right > edge.right + 1) found.push(`"${short}" leaves its box`);
      if (one.top < edge.top - 4 || one.bottom > edge.bottom + 4) found.push(`"${short}" leaves its box`);
      if (!scrolls && (one.left < 0 || one.right > width + 1)) found.push(`"${short}" is cut off`);
      lines.push({ short, left: one.left, right: one.right, top: one.top + 3, bottom: one.bottom - 3 });
    }
  }
  lines.sort((a, b) => a.top - b.top);
  lines.forEach((one, i) => {
    for (let j = i + 1; j < lines.length && lines[j].top < one.bottom; j += 1) {
      const other = lines[j];
      if (other.left < one.right - 1 && other.right > one.left + 1) {
        found.push(`"${one.short}" and "${other.short}" overlap`);
      }
    }
  });
  for (const one of document.querySelectorAll("img[src]:not([src=''])")) {
    if (!one.complete || !one.naturalWidth) found.push(`figure "${one.alt}" did not load`);
    else if (visible(one) && one.getBoundingClientRect().right > width) found.push(`figure "${one.alt}" is cut off`);
  }
  return found;
}
