// Keys of the review queue. Each is also a button on the page; none works while somebody types.
// a accept, r refuse, p post, u undo, n next, 1 to 9 a ready reason.

const first = document.querySelector("[data-question]");

function typing(target) {
  return target.matches("input:not([type=radio]), textarea, select") || target.isContentEditable;
}

function within(key) {
  return (first && first.querySelector(`[data-key="${key}"]`)) || document.querySelector(`[data-key="${key}"]`);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  if (/^[1-9]$/.test(event.key)) {
    const chips = first ? first.querySelectorAll("input[type=radio]") : [];
    const chip = chips[Number(event.key) - 1];
    if (!chip) return;
    chip.checked = true;
    chip.focus();
    event.preventDefault();
    return;
  }
  const button = within(event.key.toLowerCase());
  if (!button || button.disabled) return;
  event.preventDefault();
  button.click();
});

// A ready reason and own words are one answer: choosing one empties the other.
for (const form of document.querySelectorAll("form.answer")) {
  const own = form.querySelector("input[name=reason]");
  form.addEventListener("change", (event) => {
    if (event.target.name === "quick") own.value = "";
  });
  own.addEventListener("input", () => {
    for (const chip of form.querySelectorAll("input[type=radio]")) chip.checked = false;
  });
}

if (first) first.scrollIntoView({ block: "nearest" });
