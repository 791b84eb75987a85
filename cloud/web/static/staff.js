// Keeps regions marked with data-live up to date while the page is looked at, without touching what a person is reading or writing.
// A region asks its own address again; the server answers 204 while nothing has changed.

const DEFAULT_MS = 4000;
const LOST_AFTER = 3; // misses in a row: one lost answer is a hiccup, three are 12 s without news

let misses = 0;
let asking = false;

function undisturbed(region) {
  if (region.querySelector("details[open]")) return false;
  if (region.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")) return false;
  return [...region.querySelectorAll("textarea")].every((field) => field.value === "");
}

function tellLink(lost) {
  for (const mark of document.querySelectorAll(".live")) {
    mark.toggleAttribute("data-lost", lost);
    mark.textContent = lost ? mark.dataset.lostText : mark.dataset.liveText;
  }
}

async function ask(region) {
  const answer = await fetch(region.dataset.live, {
    headers: { "HX-Request": "true", "X-Seen": region.dataset.seen },
    credentials: "same-origin",
  });
  if (answer.status === 401) {
    window.location.reload();
    return;
  }
  if (answer.status === 204) return;
  if (!answer.ok) throw new Error(String(answer.status));
  if (!undisturbed(region)) {
    const note = document.getElementById("moved-note");
    if (note) note.hidden = false;
    return;
  }
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(region.id);
  if (!fresh) throw new Error("no region");
  const focused = document.activeElement && document.activeElement.id;
  region.replaceWith(fresh);
  window.htmx.process(fresh);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

async function look() {
  if (document.visibilityState !== "visible" || asking) return;
  const region = document.querySelector("[data-live]");
  if (!region) return;
  asking = true;
  try {
    await ask(region);
    misses = 0;
    tellLink(false);
  } catch {
    misses += 1;
    if (misses >= LOST_AFTER) tellLink(true);
  } finally {
    asking = false;
  }
}

const every = Number(document.body.dataset.liveMs) || DEFAULT_MS;
window.setInterval(look, every);
document.addEventListener("visibilitychange", look);
