// One event stream per page: the live number is set by hand, everything else is fetched again as HTML when it changed.

const words = JSON.parse(document.getElementById("words").textContent);
const { LiveWeight } = await import(document.body.dataset.live);

const live = new LiveWeight(words);
const SILENT_MS = 12000; // The box speaks every 0.7 s, at least every 10 s: longer silence is a dead link.
const AGAIN_MS = 1000;
const SETTLE_MS = 60; // An answer to a press carries the new panel; its own event must not fetch it twice.

let source = null;
let watchdog = null;
let told = Number(document.querySelector("#outcome [data-number]")?.dataset.number ?? 0);

function connect() {
  source?.close();
  source = new EventSource("/events");
  on("live", (data) => live.show(data));
  // Versions only grow while the box runs: one that is older than the page was overtaken by the answer to a press. Only the
  // first event of a stream may be older for another reason, that the box was started again.
  let first = true;
  on("job", ({ version }) => {
    const restarted = first && shownVersion() > version;
    first = false;
    setTimeout(() => refetch((shown) => restarted || shown < version), SETTLE_MS);
  });
  on("outcome", ({ number, sound }) => {
    if (number === told) return;
    told = number;
    fire("outcome-told");
    play(sound);
  });
  on("facts", () => fire("facts-changed"));
  on("locked", () => location.assign("/signin"));
  source.onopen = () => { reached(true); fire("facts-changed"); };
  source.onerror = () => {
    reached(false);
    live.stale();
    if (source.readyState === EventSource.CLOSED) setTimeout(check, AGAIN_MS);
  };
}

function on(name, act) {
  source.addEventListener(name, (event) => {
    clearTimeout(watchdog);
    watchdog = setTimeout(connect, SILENT_MS);
    act(JSON.parse(event.data));
  });
}

// The stream was refused: signed out, or the box is starting again.
async function check() {
  try {
    const answer = await fetch("/outcome", { headers: { "HX-Request": "true" } });
    if (answer.status === 401) { location.assign("/signin"); return; }
  } catch { /* The box is not there yet; connect() tries again. */ }
  connect();
}

// While a press is being answered its answer brings the panel; asking beside it would close what the operator opens next.
let answering = 0;
let wanted = null;
document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.target.id === "panel") answering += 1;
});
document.body.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.target.id !== "panel") return;
  answering = Math.max(0, answering - 1);
  setTimeout(() => { if (wanted !== null) refetch(wanted); }, SETTLE_MS);
});

function refetch(differs) {
  wanted = answering ? differs : null;
  if (answering) return;
  if (differs(shownVersion())) fire("job-changed");
}

function shownVersion() {
  return Number(document.querySelector(".task")?.dataset.version ?? -1);
}

function fire(name) {
  document.body.dispatchEvent(new CustomEvent(name));
}

function reached(up) {
  const box = document.getElementById("fact-box");
  if (!box) return;
  box.className = up ? "fact ok" : "fact bad";
  box.querySelector("b").textContent = up ? box.dataset.up : box.dataset.down;
}

// Sounds: a mute switch silences all but "rejected", because a rejected scan must never pass unheard.
const mute = document.getElementById("mute");
let muted = localStorage.getItem("mute") === "yes";
function showMute() {
  mute.setAttribute("aria-pressed", String(muted));
}
mute.addEventListener("click", () => {
  muted = !muted;
  localStorage.setItem("mute", muted ? "yes" : "no");
  showMute();
});
showMute();

function play(sound) {
  document.body.dataset.sound = sound;
  if (muted && sound !== "rejected") return;
  new Audio(document.body.dataset[sound]).play().catch(() => { /* Browsers keep silent until the first touch. */ });
}

// After a swap: the live number is put back, the focus stays in the task, undo disappears when its time is over.
let undoTimer = null;
function settle() {
  live.paint();
  clearTimeout(undoTimer);
  const undo = document.querySelector("[data-gone-in]");
  if (undo) undoTimer = setTimeout(() => undo.remove(), Number(undo.dataset.goneIn));
}
document.body.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "panel") return;
  settle();
  if (document.activeElement === document.body) document.getElementById("panel").focus({ preventScroll: true });
});
// A button outside its form says what it stands for, as it does without scripts.
document.body.addEventListener("htmx:configRequest", (event) => {
  const button = event.detail.triggeringEvent?.submitter;
  if (button?.name && !event.detail.elt.contains(button)) event.detail.parameters[button.name] = button.value;
});
document.body.addEventListener("htmx:sendError", () => { reached(false); live.stale(); });

settle();
connect();
