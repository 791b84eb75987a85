// The live weight: shows what the scale says now, and says "no live data" when nothing was heard for as long as it holds.

const WITH_VALUE = new Set(["stable", "motion", "out_of_calibration"]);

export class LiveWeight {
  constructor(words) {
    this.words = words;
    this.last = null;
    this.timer = null;
  }

  // One `live` event of the stream.
  show(live) {
    this.last = live;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.stale(), Math.max(0, live.keeps_ms - (WITH_VALUE.has(live.state) ? live.age_ms ?? 0 : 0)));
    this.paint();
  }

  // The stream is down or the scale is silent: the last number is worth nothing.
  stale() {
    clearTimeout(this.timer);
    this.last = { state: "stale", value: null, unit: null, block: "stale" };
    this.paint();
  }

  // Put the newest state on the page; also after htmx has replaced the panel.
  paint() {
    const box = document.getElementById("weight");
    if (!box || !this.last) return;
    const { state, value, unit, block } = this.last;
    if (box.dataset.state !== state) {
      box.dataset.state = state;
      document.getElementById("live-state").textContent = this.words.states[state] ?? state;
    }
    const shown = value ?? "– – –";
    const number = document.getElementById("live-number");
    if (number.textContent !== shown) number.textContent = shown;
    box.dataset.long = shown.length > 6 ? "yes" : "no";
    document.getElementById("live-unit").textContent = unit ? this.words.units[unit] ?? unit : "";
    const take = document.getElementById("take");
    if (!take) return;
    take.disabled = Boolean(block);
    const why = block ? this.words.blocks[block] ?? block : "";
    const place = document.getElementById("take-why");
    if (place.textContent !== why) place.textContent = why;
  }
}
