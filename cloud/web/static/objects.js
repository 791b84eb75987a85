// Forms that answer while they are filled in, fields that find other records, and menus that close.
// Everything works without it: the server says the same when a form is sent.

const TYPING_MS = 350; // a pause in which somebody looks up
const PICK_MS = 160;

// --- Forms -------------------------------------------------------------------------------------

class LiveForm {
  constructor(form) {
    this.form = form;
    this.touched = new Set();
    this.turn = 0;
    this.timer = 0;
    form.addEventListener("input", (event) => this.later(event, TYPING_MS));
    form.addEventListener("change", (event) => this.later(event, 0));
    form.addEventListener("click", (event) => this.row(event));
    form.addEventListener("submit", () => { this.sent = true; });
    window.addEventListener("beforeunload", (event) => {
      if (this.touched.size && !this.sent) event.preventDefault();
    });
  }

  later(event, wait) {
    const field = event.target.closest("[data-field]");
    if (!field || event.target.closest("[data-picker]")?.dataset.open) return;
    this.touched.add(field.dataset.field);
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.ask(), wait);
  }

  row(event) {
    const button = event.target.closest("button[name=more], button[name=drop]");
    if (!button) return;
    event.preventDefault();
    const key = button.value.split(".")[0];
    this.touched.add(key);
    window.clearTimeout(this.timer);
    this.ask([button.name, button.value], key);
  }

  async ask(extra = null, replace = "") {
    const turn = (this.turn += 1);
    const body = new FormData(this.form);
    this.touched.forEach((key) => body.append("touched", key));
    if (extra) body.append(...extra);
    let text;
    try {
      const answer = await fetch(this.form.dataset.check, { method: "POST", body: new URLSearchParams(body), headers: { "HX-Request": "true" } });
      if (answer.status === 401) return window.location.reload();
      if (!answer.ok) return undefined; // what is wrong is said when the form is sent
      text = await answer.text();
    } catch {
      return undefined;
    }
    if (turn !== this.turn) return undefined; // something else was typed since
    this.take(new DOMParser().parseFromString(text, "text/html"), replace);
    return undefined;
  }

  take(fresh, replace) {
    for (const next of fresh.querySelectorAll("[data-field]")) {
      const now = document.getElementById(next.id);
      if (!now) continue;
      if (next.dataset.field === replace) this.put(now, next, true);
      else if (now.dataset.mark !== next.dataset.mark) this.put(now, next, false);
    }
    for (const next of fresh.querySelectorAll(".form-section")) {
      document.getElementById(next.id)?.toggleAttribute("hidden", next.hidden);
    }
  }

  // What a person is typing is never taken from under them: only the words around it change.
  put(now, next, rows) {
    const active = document.activeElement;
    if (!rows && now.contains(active) && active.matches("input, select, textarea") && !next.hidden) {
      now.querySelector(".faults").innerHTML = next.querySelector(".faults").innerHTML;
      now.className = next.className;
      now.dataset.mark = next.dataset.mark;
      const control = next.querySelector(`[id="${active.id}"]`);
      for (const name of ["aria-invalid", "aria-required", "aria-describedby"]) {
        if (control?.hasAttribute(name)) active.setAttribute(name, control.getAttribute(name));
        else active.removeAttribute(name);
      }
      return;
    }
    const typed = rows ? [] : [...now.querySelectorAll("input:not([type=hidden]), textarea, select")].map((one) => [one.id, one.type === "checkbox" ? one.checked : one.value]);
    const held = now.contains(active) ? active.id : "";
    const fresh = document.importNode(next, true);
    now.replaceWith(fresh);
    for (const [id, value] of typed) {
      const control = id && fresh.querySelector(`[id="${id}"]`);
      if (!control) continue;
      if (control.type === "checkbox") control.checked = value;
      else if (control.tagName !== "SELECT" || [...control.options].some((one) => one.value === value)) control.value = value;
    }
    dress(fresh);
    if (rows) fresh.querySelector("tbody tr:last-child input, tbody tr:last-child select")?.focus();
    else if (held) document.getElementById(held)?.focus({ preventScroll: true });
  }
}

// --- References --------------------------------------------------------------------------------
// A combobox after the ARIA Authoring Practices Guide: the focus stays in the field, arrows move through the list.

let pickers = 0;

class Picker {
  constructor(box) {
    this.box = box;
    this.input = box.querySelector("input");
    this.list = document.createElement("ul");
    this.list.className = "options";
    this.list.id = `options-${(pickers += 1)}`;
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", this.input.getAttribute("aria-label") || this.label());
    this.at = -1;
    this.turn = 0;
    this.status = document.createElement("span");
    this.status.className = "hidden-label";
    this.status.setAttribute("role", "status");
    box.append(this.status);
    for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-expanded", "false"], ["aria-controls", this.list.id]]) {
      this.input.setAttribute(name, value);
    }
    this.input.addEventListener("input", (event) => {
      event.stopPropagation();
      window.clearTimeout(this.timer);
      this.asking = true;
      this.timer = window.setTimeout(() => this.open(this.input.value), PICK_MS);
    });
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("blur", () => window.setTimeout(() => this.close(), 120));
    this.input.addEventListener("click", () => { if (!this.input.value) this.open(""); });
    this.list.addEventListener("mousedown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => {
      const row = event.target.closest("[role=option]");
      if (row) this.take(row);
    });
  }

  label() {
    return document.querySelector(`label[for="${this.input.id}"]`)?.textContent.trim() || "";
  }

  async open(words) {
    const turn = (this.turn += 1);
    let found;
    try {
      const answer = await fetch(`${this.box.dataset.picker}?q=${encodeURIComponent(words)}`);
      found = answer.ok ? await answer.json() : [];
    } catch {
      found = [];
    }
    if (turn !== this.turn || document.activeElement !== this.input) return;
    this.asking = words !== this.input.value;
    this.list.replaceChildren(...found.map((one, place) => this.row(one, place)));
    if (!found.length) {
      const none = document.createElement("li");
      none.className = "none";
      none.textContent = this.box.dataset.none;
      this.list.append(none);
    }
    if (!this.list.isConnected) this.box.append(this.list);
    this.box.dataset.open = "yes";
    this.input.setAttribute("aria-expanded", "true");
    this.status.textContent = found.length ? `${this.box.dataset.many} ${found.length}` : this.box.dataset.none;
    this.move(found.length && words ? 0 : -1);
    if (this.first && found.length) this.take(this.list.firstElementChild);
    this.first = false;
  }

  row(one, place) {
    const row = document.createElement("li");
    row.id = `${this.list.id}-${place}`;
    row.setAttribute("role", "option");
    row.dataset.value = one.value;
    row.dataset.ref = one.ref;
    const title = document.createElement("bdi");
    title.textContent = one.title;
    const number = document.createElement("bdi");
    number.dir = "ltr";
    number.className = "small quiet";
    number.textContent = one.ref;
    row.append(title, ...(one.title === one.ref ? [] : [number]));
    return row;
  }

  move(place) {
    const rows = this.list.querySelectorAll("[role=option]");
    rows.forEach((row, number) => row.setAttribute("aria-selected", String(number === place)));
    this.at = place;
    if (rows[place]) {
      this.input.setAttribute("aria-activedescendant", rows[place].id);
      rows[place].scrollIntoView({ block: "nearest" });
    } else this.input.removeAttribute("aria-activedescendant");
  }

  key(event) {
    const rows = this.list.querySelectorAll("[role=option]");
    const open = this.box.dataset.open;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!open) return void this.open(this.input.value);
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.move(rows.length ? (this.at + step + rows.length) % rows.length : -1);
    } else if (event.key === "Enter" && (open || this.asking)) {
      // Pressed before the list came: the first that is found, not a form sent half filled in.
      event.preventDefault();
      if (this.asking) this.first = true;
      else if (rows[this.at]) this.take(rows[this.at]);
    } else if (event.key === "Escape" && open) {
      event.preventDefault();
      event.stopPropagation();
      this.close();
    } else if (event.key === "Tab" && open && rows[this.at]) this.take(rows[this.at]);
    return undefined;
  }

  take(row) {
    this.close();
    const chips = this.box.previousElementSibling?.matches("[data-chips]") ? this.box.previousElementSibling : null;
    if (chips) {
      this.chip(chips, row.dataset.ref, row.dataset.value);
      this.input.value = "";
    } else this.input.value = row.dataset.value;
    this.input.dispatchEvent(new Event("change", { bubbles: true }));
  }

  chip(chips, ref, words) {
    const there = chips.querySelector(`input[value="${CSS.escape(ref)}"]`);
    if (there) {
      there.checked = true;
      return;
    }
    const chip = document.createElement("label");
    chip.className = "chip";
    const box = document.createElement("input");
    box.type = "checkbox";
    box.name = this.input.name;
    box.value = ref;
    box.checked = true;
    const text = document.createElement("span");
    const inner = document.createElement("bdi");
    inner.textContent = words;
    text.append(inner);
    chip.append(box, text);
    chips.append(chip);
  }

  close() {
    window.clearTimeout(this.timer);
    this.turn += 1;
    this.asking = this.first = false;
    delete this.box.dataset.open;
    this.list.remove();
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }
}

// --- Filters -----------------------------------------------------------------------------------

// Choosing a field or an operator asks for the row that fits it; what is typed waits for Enter.
function filter(form) {
  form.addEventListener("change", (event) => {
    if (event.target.matches("select, input[type=date], input[type=checkbox]")) form.requestSubmit();
  });
}

// What can be done with chosen rows shows when some are chosen.
function bulk(form) {
  const boxes = [...document.querySelectorAll(`input[form="${form.id}"][name=ref]`)];
  const all = form.querySelector("[data-all]");
  const tell = () => {
    const chosen = boxes.filter((one) => one.checked).length;
    form.toggleAttribute("data-none", chosen === 0);
    all.checked = chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
    for (const button of form.querySelectorAll("button")) button.disabled = chosen === 0;
  };
  all.parentElement.hidden = false;
  all.addEventListener("change", () => {
    for (const one of boxes) one.checked = all.checked;
    tell();
  });
  for (const one of boxes) one.addEventListener("change", tell);
  tell();
}

// --- Definitions -------------------------------------------------------------------------------

// Numbers of lines beside the text, as many as there are lines. A faulty line's mark goes with the first change.
function editor(box) {
  const [gutter, text] = [box.querySelector(".gutter"), box.querySelector("textarea")];
  text.addEventListener("input", () => {
    const lines = text.value.split("\n").length;
    gutter.replaceChildren(...Array.from({ length: lines }, (_, place) => {
      const line = document.createElement("span");
      line.textContent = String(place + 1);
      return [line, document.createTextNode("\n")];
    }).flat());
    text.rows = Math.max(lines + 2, 26);
  });
}

// --- Boards ------------------------------------------------------------------------------------

// Dragging a card presses the button in its menu that leads to the column; without a mouse the menu does the same.
function board(root) {
  let card = null;
  const wayTo = (lane) => card?.querySelector(`[data-to="${CSS.escape(lane.dataset.state)}"]`);
  root.addEventListener("dragstart", (event) => {
    card = event.target.closest?.(".board-card");
    if (!card) return;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", "");
    card.classList.add("dragged");
    for (const lane of root.querySelectorAll(".lane")) lane.classList.toggle("takes", Boolean(wayTo(lane)));
  });
  root.addEventListener("dragover", (event) => {
    const lane = event.target.closest(".lane");
    root.querySelectorAll(".over").forEach((one) => one.classList.toggle("over", one === lane));
    if (!lane || !wayTo(lane)) return;
    event.preventDefault();
    lane.classList.add("over");
  });
  root.addEventListener("drop", (event) => {
    const lane = event.target.closest(".lane");
    const way = lane && wayTo(lane);
    if (!way) return;
    event.preventDefault();
    way.click();
  });
  root.addEventListener("dragend", () => {
    card?.classList.remove("dragged");
    card = null;
    root.querySelectorAll(".takes, .over").forEach((one) => one.classList.remove("takes", "over"));
  });
}

// --- Menus -------------------------------------------------------------------------------------

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = event.target.closest?.("details.menu[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

function dress(root) {
  root.querySelectorAll("[data-picker]").forEach((box) => new Picker(box));
  root.querySelectorAll("form[data-check]").forEach((form) => new LiveForm(form));
  root.querySelectorAll("form[data-live-filter]").forEach(filter);
  root.querySelectorAll("form[data-bulk]").forEach(bulk);
  root.querySelectorAll("[data-editor]").forEach(editor);
  root.querySelectorAll(".board").forEach(board);
}

dress(document);
document.getElementById("summary")?.focus();
