// The reasons of a rejection: searched in Chinese, by pinyin initials, number or English; chosen by keyboard.

export class Reasons {
  constructor(onChange) {
    this.search = document.getElementById("search");
    this.list = document.getElementById("list");
    this.options = [...this.list.querySelectorAll(".reason")];
    this.onChange = onChange;
    this.chosen = [];
    this.search.addEventListener("input", () => this.filter());
    this.search.addEventListener("keydown", (event) => this.key(event));
    this.list.addEventListener("click", (event) => {
      const option = event.target.closest(".reason");
      if (!option) return;
      this.point(option);
      this.toggle(option);
      this.search.focus();
    });
    this.filter();
  }

  shown() {
    return this.options.filter((option) => !option.hidden);
  }

  filter() {
    const words = this.search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    for (const option of this.options) {
      option.hidden = !words.every((word) => option.dataset.search.includes(word));
    }
    for (const group of this.list.querySelectorAll('[role="group"]')) {
      group.hidden = !group.querySelector(".reason:not([hidden])");
    }
    const shown = this.shown();
    document.getElementById("no-match").hidden = shown.length > 0;
    this.point(shown[0] ?? null);
  }

  point(option) {
    this.current?.classList.remove("current");
    this.current = option;
    if (!option) {
      this.search.removeAttribute("aria-activedescendant");
      return;
    }
    option.classList.add("current");
    this.search.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }

  key(event) {
    if (event.isComposing || event.ctrlKey || event.metaKey) return;
    const shown = this.shown();
    const place = shown.indexOf(this.current);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const next = place + (event.key === "ArrowDown" ? 1 : -1);
      this.point(shown[(next + shown.length) % shown.length] ?? null);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (!this.current) return;
      this.toggle(this.current);
      // The next reason begins with an empty search.
      if (this.search.value) {
        this.search.value = "";
        const chosen = this.current;
        this.filter();
        this.point(chosen);
      }
    }
  }

  toggle(option) {
    const code = option.dataset.code;
    this.chosen = this.chosen.includes(code) ? this.chosen.filter((other) => other !== code) : [...this.chosen, code];
    this.show();
  }

  choose(codes) {
    const known = new Set(this.options.map((option) => option.dataset.code));
    this.chosen = codes.filter((code) => known.has(code));
    this.show();
  }

  show() {
    for (const option of this.options) {
      option.setAttribute("aria-selected", String(this.chosen.includes(option.dataset.code)));
    }
    const wording = document.getElementById("wording");
    wording.replaceChildren(
      ...this.chosen.map((code) => {
        const item = document.createElement("li");
        item.textContent = this.options.find((option) => option.dataset.code === code).dataset.wording;
        return item;
      }),
    );
    document.getElementById("no-wording").hidden = this.chosen.length > 0;
    document.getElementById("send").disabled = this.chosen.length === 0;
    this.onChange();
  }
}
