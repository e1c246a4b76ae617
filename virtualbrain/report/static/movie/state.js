// what the page shows -----------------------------------------------------------------------------
const data = JSON.parse(document.getElementById("embedded").textContent);
const one = (selector) => document.querySelector(selector);
const state = { time: data.start_s, mode: 0, surgery: 0, morph: 0, azimuth: 90, elevation: 10, zoom: 1, playing: false, frames: 0, detail: 1 };
const NEVER = 1e8, REMOVED = 1;
document.documentElement.classList.remove("plain");
