// The token of a task belongs to this tab: another tab of the same person has another lease.

import { remembered } from "../own.js";

const name = (id) => `lease:${id}`;

export const tokenOf = (id) => remembered.getItem(name(id));
export const keepToken = (id, token) => remembered.setItem(name(id), token);
export const dropToken = (id) => remembered.removeItem(name(id));

/** Counts a lease down, and keeps it while somebody is there. */
export class Lease {
  constructor({ id, token, endsAt, seconds, offset, beat, onTick, onLost }) {
    Object.assign(this, { id, token, endsAt, seconds, offset, beat, onTick, onLost });
    // A person is there while keys, pointer or touch are used.
    this.active = true;
    this.beating = false;
    this.lastBeat = this.now();
    const seen = () => {
      this.active = true;
    };
    for (const kind of ["pointermove", "pointerdown", "keydown", "touchstart", "wheel"]) {
      document.addEventListener(kind, seen, { passive: true });
    }
    this.timer = setInterval(() => this.tick(), 1000);
    document.addEventListener("visibilitychange", () => document.hidden || this.tick());
    this.tick();
  }

  /** The server's clock, in milliseconds. */
  now() {
    return Date.now() + this.offset;
  }

  left() {
    return Math.max(0, Math.ceil((this.endsAt - this.now()) / 1000));
  }

  /** How long before the end somebody is warned: 60 s, or a third of a short lease. */
  warnAt() {
    return Math.min(60, this.seconds / 3);
  }

  tick() {
    if (this.stopped) return;
    const left = this.left();
    this.onTick(left, left <= this.warnAt());
    if (left === 0) {
      this.lose();
      return;
    }
    const due = this.now() - this.lastBeat > (this.seconds * 1000) / 3;
    if (due && this.active && left > this.warnAt()) this.extend(true);
  }

  /** Begins the lease anew. */
  async extend(background = false) {
    if (this.stopped || this.beating) return;
    this.beating = true;
    this.active = false;
    const answer = await this.beat(background);
    this.beating = false;
    if (this.stopped) return;
    if (answer.ok) {
      this.lastBeat = this.now();
      this.endsAt = Date.parse(answer.body.lease_expires_at);
      this.onTick(this.left(), false);
    } else if (answer.status === 409 || answer.status === 404) {
      this.lose();
    }
  }

  lose() {
    if (this.stopped) return;
    this.stop();
    this.onLost();
  }

  stop() {
    this.stopped = true;
    clearInterval(this.timer);
  }
}
