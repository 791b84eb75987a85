// Keypads: the fields they fill never open a keyboard of the system. Works by touch, by mouse and by keyboard.

const MASKS = {
  // 31032027 -> 31/03/2027
  date: (text) => {
    const digits = text.replace(/\D/g, "").slice(0, 8);
    return [digits.slice(0, 2), digits.slice(2, 4), digits.slice(4)].filter(Boolean).join("/");
  },
};

function press(input, key) {
  let text = input.value;
  if (key === "clear") text = "";
  else if (key === "back") text = input.dataset.mask === "date" ? text.replace(/\D*\d\D*$/, "") : text.slice(0, -1);
  else if (text.length < input.maxLength) text += key;
  input.value = masked(input, text);
  input.dispatchEvent(new Event("input", { bubbles: true }));
}

function masked(input, text) {
  const mask = MASKS[input.dataset.mask];
  return mask ? mask(text) : text;
}

document.addEventListener("click", (event) => {
  const turn = event.target.closest("[data-turn]");
  if (turn) {
    for (const key of turn.closest("[data-pad]").querySelectorAll("[data-page]")) key.hidden = key.dataset.page !== turn.dataset.turn;
    return;
  }
  const close = event.target.closest("[data-close]");
  if (close) {
    const drawer = close.closest("details");
    drawer.open = false;
    drawer.querySelector("summary").focus();
    return;
  }
  const key = event.target.closest("[data-key]");
  if (!key) return;
  const input = document.getElementById(key.closest("[data-pad]").dataset.pad);
  if (input) press(input, key.dataset.key);
});

document.addEventListener("input", (event) => {
  if (!event.isTrusted || !event.target.dataset?.mask) return;
  event.target.value = masked(event.target, event.target.value);
});

// One drawer at a time: an open one would hide the next.
document.addEventListener("toggle", (event) => {
  if (!event.target.open) return;
  for (const other of document.querySelectorAll("details.drawer[open]")) if (other !== event.target) other.open = false;
}, true);
