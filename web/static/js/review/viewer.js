// Zoom, pan and rotation of all photos together.

const STEP = 1.25;
const MOST = 8;

export class Viewer {
  constructor(root) {
    this.root = root;
    this.frames = [...root.querySelectorAll(".frame")];
    this.reset();
    for (const pane of root.querySelectorAll(".window")) this.listen(pane);
    for (const button of root.querySelectorAll("[data-view]")) {
      button.addEventListener("click", () => this.act(button.dataset.view));
    }
  }

  act(what) {
    const acts = {
      in: () => this.zoom(STEP),
      out: () => this.zoom(1 / STEP),
      left: () => this.turn(-90),
      right: () => this.turn(90),
      guides: () => this.toggleGuides(),
      reset: () => this.reset(),
    };
    acts[what]?.();
  }

  reset() {
    Object.assign(this, { scale: 1, x: 0, y: 0, angle: 0 });
    this.draw();
  }

  zoom(factor) {
    const scale = Math.min(MOST, Math.max(0.5, this.scale * factor));
    this.x *= scale / this.scale;
    this.y *= scale / this.scale;
    this.scale = scale;
    this.draw();
  }

  turn(degrees) {
    this.angle = (this.angle + degrees) % 360;
    this.draw();
  }

  move(x, y) {
    this.x += x;
    this.y += y;
    this.draw();
  }

  toggleGuides() {
    const off = this.root.classList.toggle("no-guides");
    this.root.querySelector('[data-view="guides"]').setAttribute("aria-pressed", String(!off));
  }

  draw() {
    for (const frame of this.frames) {
      frame.style.transform = `translate(${this.x}px, ${this.y}px) rotate(${this.angle}deg) scale(${this.scale})`;
    }
  }

  listen(pane) {
    let last = null;
    pane.addEventListener("pointerdown", (event) => {
      last = [event.clientX, event.clientY];
      pane.setPointerCapture(event.pointerId);
      pane.classList.add("dragging");
    });
    pane.addEventListener("pointermove", (event) => {
      if (!last) return;
      this.move(event.clientX - last[0], event.clientY - last[1]);
      last = [event.clientX, event.clientY];
    });
    for (const kind of ["pointerup", "pointercancel"]) {
      pane.addEventListener(kind, () => {
        last = null;
        pane.classList.remove("dragging");
      });
    }
    pane.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.zoom(event.deltaY < 0 ? STEP : 1 / STEP);
      },
      { passive: false },
    );
  }
}
