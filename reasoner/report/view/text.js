"use strict";
// Everything from the trace enters the page here, as text: there is no markup from outside, and no other way in.

const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** `text` with characters that cannot be seen, or that turn others around, spelt out. */
function shown(text) {
  return String(text).replace(UNSEEN, (char) => "\u27e8U+" + char.charCodeAt(0).toString(16).padStart(4, "0") + "\u27e9");
}

function element(tag, classes = "", text = "") {
  const made = document.createElement(tag);
  if (classes) made.className = classes;
  if (text !== "") made.textContent = shown(text);
  return made;
}

function add(parent, ...children) {
  parent.append(...children);
  return parent;
}

function block(id) {
  return JSON.parse(document.getElementById(id).textContent);
}

const COLOURS = {
  solved: "#2a8f5c", partly: "#d99a2b", failed: "#c8553d", answered: "#0b6bcb", thought: "#8a94a6", dropped: "#c3c9d2",
  task: "#1f2530",
};

const count = (number) => Math.round(number).toLocaleString("en-GB");
const short = (number) => (number < 1e5 ? count(number) : number < 1e6 ? `${count(number / 1e3)}k` : `${(number / 1e6).toFixed(2)}M`);
const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;

/** A canvas's context, as large as the element is on this screen, and emptied. */
function fresh(canvas) {
  const scale = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  return { pen, width, height };
}
