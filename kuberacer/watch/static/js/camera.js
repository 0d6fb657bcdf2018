// What the camera of one car sees. Two views of a stereo camera come side by side.

import { card, h } from "./dom.js";

export class Camera {
  constructor() {
    this.picture = h("img", { alt: "What the camera of one car sees at this moment", hidden: true });
    this.nothing = h("p", { class: "nothing" }, "The picture comes with the next steps that are driven.");
    this.element = card("Camera", this.nothing, this.picture);
    this.element.classList.add("camera");
  }

  /** png: base64 */
  show({ png }) {
    this.picture.src = `data:image/png;base64,${png}`;
    this.picture.hidden = false;
    this.nothing.hidden = true;
  }
}
