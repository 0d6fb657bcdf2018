// The track from above and the cars on it, driven along the ways that the training reports.

import { h, s, setText } from "./dom.js";
import { number } from "./format.js";

const SNAPSHOT_S = 1; // between two reports of the cars
const still = matchMedia("(prefers-reduced-motion: reduce)");
const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x} ${y}`).join("");

/** The part of a car's way that it has not been shown driving: from where it stood, where the way passes there. */
function ahead(way, from) {
  if (!from) return way;
  const near = way.findIndex(([x, y]) => Math.hypot(x - from[0], y - from[1]) < 0.02);
  return near < 0 ? way : way.slice(near);
}

/** Point and direction (degrees) after a share of a way, and the way until there. */
function along(way, share) {
  const place = share * (way.length - 1);
  const i = Math.min(Math.floor(place), way.length - 2);
  if (i < 0) return { point: way[0], heading: null, driven: way };
  const [[ax, ay], [bx, by]] = [way[i], way[i + 1]];
  const part = place - i;
  const point = [ax + (bx - ax) * part, ay + (by - ay) * part];
  return { point, heading: (Math.atan2(by - ay, bx - ax) * 180) / Math.PI, driven: [...way.slice(0, i + 1), point] };
}

export class TrackView {
  #cars = [];
  #came = 0;
  #frame = 0;

  /** outline: {name, length, width, closed, center, inner, outer}, metres; signal ends the animation. */
  constructor(outline, signal) {
    this.outline = outline;
    this.cars = s("g");
    this.svg = s("svg", { role: "img", class: "track" });
    this.caption = h("p", { class: "caption" });
    this.element = h("div", { class: "road-view" }, this.svg, this.caption);
    this.#draw(outline);
    this.show([]);
    signal.addEventListener("abort", () => cancelAnimationFrame(this.#frame));
  }

  #draw({ center, inner, outer, closed }) {
    const points = [...inner, ...outer];
    const [xs, ys] = [points.map((p) => p[0]), points.map((p) => p[1])];
    const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const room = 0.04 * Math.max(right - left, high - low);
    this.size = 0.016 * Math.max(right - left, high - low); // half a car, large enough to be seen
    const [across, up] = [right - left + 2 * room, high - low + 2 * room];
    this.svg.setAttribute("viewBox", `${left - room} ${-high - room} ${across} ${up}`);
    const end = closed ? "Z" : "";
    const back = closed ? `Z${path(inner)}` : path([...inner].reverse()).replace("M", "L");
    const ground = `${path(outer)}${back}Z`;
    // y points up on a track and down on a screen
    this.svg.replaceChildren(s("g", { transform: "scale(1 -1)" },
      s("path", { class: "road", d: ground }), s("path", { class: "border", d: path(outer) + end }),
      s("path", { class: "border", d: path(inner) + end }), s("path", { class: "middle", d: path(center) + end }),
      s("path", { class: "start-line", d: path([inner[0], outer[0]]) }), this.cars));
  }

  /** cars: [{x, y, heading, progress, speed, steering, status, trail}] of one moment. */
  show(cars) {
    this.#cars = cars.map((car, i) => {
      const before = this.#cars[i];
      const trail = car.trail?.length ? car.trail : [[car.x, car.y]];
      return { ...car, trail, way: ahead(trail, before && [before.x, before.y]), ...this.#shape(i) };
    });
    while (this.cars.children.length > cars.length) this.cars.lastChild.remove();
    this.#came = performance.now();
    this.#say(cars);
    cancelAnimationFrame(this.#frame);
    this.#step();
  }

  #shape(i) {
    let group = this.cars.children[i];
    if (!group) {
      const arrow = "M1.2 0L-1 0.8L-0.5 0L-1 -0.8Z";
      group = s("g", {}, s("path", { class: "trail" }), s("g", { class: "car" }, s("path", { d: arrow })));
      this.cars.append(group);
    }
    const [trail, arrow] = group.children;
    return { drawnTrail: trail, arrow };
  }

  #step() {
    const share = still.matches ? 1 : Math.min(1, (performance.now() - this.#came) / (1000 * SNAPSHOT_S));
    for (const car of this.#cars) {
      const { point, heading, driven } = along(car.way, share);
      const shown = [...car.trail.slice(0, car.trail.length - car.way.length), ...driven];
      car.drawnTrail.setAttribute("d", path(shown));
      const turn = share === 1 || heading === null ? car.heading : heading;
      car.arrow.setAttribute("transform", `translate(${point[0]} ${point[1]}) rotate(${turn}) scale(${this.size})`);
      car.arrow.toggleAttribute("data-off", share === 1 && /crash|off_track/i.test(car.status));
    }
    if (share < 1 && this.#cars.length) this.#frame = requestAnimationFrame(() => this.#step());
  }

  /** The picture in words: below it, and for those who do not see it. */
  #say(cars) {
    const { name, length, width } = this.outline;
    const road = `${name}: ${number(length, 1)} m long, ${number(width, 2)} m wide`;
    const first = cars.reduce((best, car) => (best && best.progress >= car.progress ? best : car), null);
    const texts = [road];
    if (first) {
      texts.push(cars.length === 1 ? "1 car" : `${cars.length} cars`);
      texts.push(`the furthest at ${number(first.progress)} % of its lap, ${number(first.speed, 1)} m/s`);
    }
    setText(this.caption, texts.join(" · "));
    this.svg.setAttribute("aria-label", `Track ${texts.join(", ")}`);
  }
}
