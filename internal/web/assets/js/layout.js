// Where each eye's picture lies in a frame, by format: [x, y, width, height] in fractions of the frame, from the
// top left corner, and by how much the eye's picture is wider than the frame's own proportions say.
const layouts = {
  "full-sbs": { left: [0, 0, 0.5, 1], right: [0.5, 0, 0.5, 1], stretch: 0.5 },
  "half-sbs": { left: [0, 0, 0.5, 1], right: [0.5, 0, 0.5, 1], stretch: 1 },
  "full-tb": { left: [0, 0, 1, 0.5], right: [0, 0.5, 1, 0.5], stretch: 2 },
  "half-tb": { left: [0, 0, 1, 0.5], right: [0, 0.5, 1, 0.5], stretch: 1 },
  "cross-eyed": { left: [0.5, 0, 0.5, 1], right: [0, 0, 0.5, 1], stretch: 0.5 },
  vr180: { left: [0, 0, 0.5, 1], right: [0.5, 0, 0.5, 1], stretch: 0.5, dome: true },
};

// layoutOf returns a format's layout, or null where a frame holds no pair of views.
export function layoutOf(format) {
  return layouts[format] ?? null;
}

// eyeAspect returns an eye picture's width over its height. The dome is looked at through a 16:9 window.
export function eyeAspect(layout, width, height) {
  return layout.dome ? 16 / 9 : (layout.stretch * width) / height;
}
